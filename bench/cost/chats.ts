import { basename } from 'node:path'
import type { Message } from '../../src/index.ts'
import { fileToRead } from '../../src/transfer/files.ts'
import { readConversations } from '../../src/transfer/records.ts'
import { randomFrom } from '../harness/texts.ts'
import { variedTurns } from '../harness/turns.ts'

/** All that one user and the model said to each other, as one conversation. */
export interface Chat {
  readonly userId: string
  /** Oldest first. */
  readonly turns: readonly (readonly Message[])[]
}

/** How many chats to make, and from how many turns to how many each has. */
export interface ChatSizes {
  readonly chats: number
  readonly leastTurns: number
  readonly mostTurns: number
}

/** Chats of varied turns, no turn twice. The same ones each time. */
export async function generatedChats({ chats, leastTurns, mostTurns }: ChatSizes): Promise<Chat[]> {
  const random = randomFrom(11)
  const lengths = Array.from({ length: chats }, () => {
    return leastTurns + Math.floor(random() * (mostTurns - leastTurns + 1))
  })
  const turns = await variedTurns(lengths.reduce((sum, length) => sum + length, 0))
  return lengths.map((length, index) => {
    return { userId: `user-${index + 1}`, turns: turns.splice(0, length).map(({ messages }) => messages) }
  })
}

/**
 * The chats of a file that `backscroll import` could read, one a user: conversations of the same user are laid end to
 * end, in the order of the file.
 *
 * @throws {BadRecordError} at the first record that is wrong.
 */
export async function recordedChats(path: string): Promise<Chat[]> {
  const { chunks } = await fileToRead(path)
  const byUser = new Map<string, (readonly Message[])[]>()
  for await (const { userId, turns } of readConversations(chunks, {
    userId: 'user-1',
    sourceName: basename(path),
  })) {
    const ofUser = byUser.get(userId) ?? []
    byUser.set(userId, ofUser)
    ofUser.push(...turns.map(({ messages }) => messages))
  }
  return Array.from(byUser, ([userId, turns]) => ({ userId, turns }))
}
