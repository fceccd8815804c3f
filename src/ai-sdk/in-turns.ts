/** Messages in turns: a user's message opens one, and what follows joins it. */
export function inTurns<Sent extends { readonly role: string }>(messages: readonly Sent[]): Sent[][] {
  const turns: Sent[][] = []
  for (const message of messages) {
    if (message.role === 'user' || turns.length === 0) turns.push([message])
    else turns.at(-1)!.push(message)
  }
  return turns
}
