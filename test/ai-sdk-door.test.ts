import { beforeAll, describe, expect, it } from 'vitest'
import { loadModelMessages, loadUIMessages, saveModelMessages, saveUIMessages } from '../src/ai-sdk.ts'
import type { ConversationStore, Message } from '../src/index.ts'
import { newConversation } from './ai-sdk/major.ts'
import { onEachDatabase } from './support/databases.ts'

describe('what is no message of the AI SDK', () => {
  const secret = 'a canary that sang'
  const bad: [string, unknown][] = [
    ['no array', secret],
    ['no object', [secret]],
    ['an unknown role', [{ role: secret, content: secret, parts: [] }]],
    [
      'a part without a type',
      [{ id: '1', role: 'user', content: [{ text: secret }], parts: [{ text: secret }] }],
    ],
    [
      'a part that refers to itself',
      [{ id: '1', role: 'assistant', content: [circular()], parts: [circular()] }],
    ],
    ['a bigint', [{ id: '1', role: 'assistant', content: [call(7n)], parts: [shown(7n)] }]],
    ['NaN', [{ id: '1', role: 'assistant', content: [call(Number.NaN)], parts: [shown(Number.NaN)] }]],
    [
      'no date',
      [
        {
          id: '1',
          role: 'assistant',
          content: [call(new Date(Number.NaN))],
          parts: [shown(new Date(Number.NaN))],
        },
      ],
    ],
    ['a Map', [{ id: '1', role: 'assistant', content: [call(new Map())], parts: [shown(new Map())] }]],
    [
      'a function',
      [{ id: '1', role: 'assistant', content: [call(() => secret)], parts: [shown(() => secret)] }],
    ],
  ]

  onEachDatabase('is refused', (database) => {
    let store: ConversationStore
    beforeAll(async () => void (store = await database.open()))

    it.each(bad)('before anything is written: %s', async (_, messages) => {
      const conversation = newConversation(store)
      for (const save of [saveModelMessages, saveUIMessages] as ((...given: unknown[]) => Promise<void>)[]) {
        const error: unknown = await save(conversation, messages).catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ code: 'INVALID_MESSAGE' })
        expect(`${String(error)}${JSON.stringify(error)}${String(Object(error).cause)}`).not.toContain(secret)
      }
      expect(await conversation.listTurns()).toEqual([])
    })

    it('with what to do about it: an answer without an id', async () => {
      const conversation = newConversation(store)
      const messages = [{ id: '', role: 'assistant' as const, parts: [{ type: 'step-start' as const }] }]
      await expect(saveUIMessages(conversation, messages)).rejects.toThrow(/generateMessageId/)
    })

    it('as CORRUPT_DATA, where it was stored by something else', async () => {
      const conversation = newConversation(store)
      const add = (ai_sdk: unknown) =>
        conversation.append([{ role: 'user', content: 'hi', ai_sdk } as Message])
      for (const field of [
        'yes',
        { form: 'other', span: 1, message: {} },
        { form: 'ui', span: 1, message: { id: 'u', parts: [{ $text: [7] }] } },
        { form: 'ui', span: 1, message: { id: 'u', parts: [{ $what: 'ever' }] } },
        { form: 'ui', span: 1, message: { id: 'u', parts: [{ $url: 'none' }] } },
        { form: 'ui', span: 1, message: { id: 'u', parts: [{ $json: [0, 'content'] }] } },
      ]) {
        await conversation.clear()
        await add(field)
        await expect(loadUIMessages(conversation)).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
        await expect(loadModelMessages(conversation)).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
      }
    })
  })

  it('nor is a store a conversation', async () => {
    const store = {} as never
    const calls = [
      loadModelMessages(store),
      loadUIMessages(store),
      saveModelMessages(store, []),
      saveUIMessages(store, []),
    ]
    for (const refused of calls) await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  function circular(): object {
    const part: Record<string, unknown> = {
      type: 'tool-x',
      toolCallId: 'c',
      toolName: 'x',
      state: 'input-available',
    }
    part['input'] = part
    return part['type'] === 'tool-x' ? part : {}
  }
  function call(input: unknown): object {
    return { type: 'tool-call', toolCallId: 'c', toolName: 'x', input }
  }
  function shown(input: unknown): object {
    return { type: 'tool-x', toolCallId: 'c', state: 'input-available', input }
  }
})
