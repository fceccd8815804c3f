import type { ModelMessage, UIMessage } from 'ai'
import { beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { loadModelMessages, loadUIMessages, saveModelMessages, saveUIMessages } from '../../src/ai-sdk.ts'
import type { ConversationStore } from '../../src/index.ts'
import { onEachDatabase } from '../support/databases.ts'
import { endOfStream, newConversation, responseMessagesOf, scripted, type Major, type Said } from './major.ts'

const QUESTIONS = ['Is it cold in Oslo and in Rome?', 'And in Oslo alone?', 'Thanks!']

/** Two calls at once, then one, then an answer; the next turn a call and an answer; the last an answer. */
const SCRIPT: readonly Said[] = [
  {
    reasoning: 'I look both up.',
    text: 'Let me see.',
    calls: [
      { id: 'c1', name: 'weather', input: { city: 'Oslo' } },
      { id: 'c2', name: 'weather', input: { city: 'Rome' } },
    ],
  },
  { calls: [{ id: 'c3', name: 'weather', input: { city: 'nowhere' } }] },
  { text: 'Oslo is cold, Rome is not.' },
  { calls: [{ id: 'c4', name: 'wait', input: {} }] },
  { text: 'Yes.' },
  { text: 'You are welcome.' },
]

/** What the SDK's own runs leave behind, kept here instead of in an array. */
export function testRuns(major: Major): void {
  const { sdk } = major
  const tools = {
    weather: sdk.tool({
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }: { city: string }) => {
        if (city === 'nowhere') throw new Error('There is no such city.')
        return {
          city,
          celsius: city === 'Oslo' ? -4 : 12,
          note: 'measured at the airport, in the shade, two metres up',
        }
      },
    }),
    wait: sdk.tool({ inputSchema: z.object({}), execute: async () => 'waited' }),
  }
  const settings = (model: object) =>
    ({ model, tools, stopWhen: sdk.stepCountIs(5) }) as never as { model: never }

  onEachDatabase(`what runs of ai ${major.version} produce`, (database) => {
    let store: ConversationStore
    beforeAll(async () => void (store = await database.open()))

    it('is sent again by generateText as it is without a database', async () => {
      const conversation = newConversation(store)
      const kept = scripted(major, (call) => SCRIPT[call]!)
      const inArray = scripted(major, (call) => SCRIPT[call]!)
      const array: ModelMessage[] = []
      for (const content of QUESTIONS) {
        const question = { role: 'user', content } as const
        array.push(question)
        array.push(
          ...(await responseMessagesOf(
            major,
            await sdk.generateText({ ...settings(inArray.model), messages: array }),
          )),
        )

        const messages = [...(await loadModelMessages(conversation)), question]
        const result = await sdk.generateText({ ...settings(kept.model), messages })
        await saveModelMessages(conversation, [question, ...(await responseMessagesOf(major, result))])
      }
      expect(kept.prompts).toEqual(inArray.prompts)
      expect(kept.prompts.length).toBe(SCRIPT.length)
      expect(await loadModelMessages(conversation)).toEqual(array)
    })

    it('is sent again by streamText, as UI messages, as it is without a database', async () => {
      const conversation = newConversation(store)
      const kept = scripted(major, (call) => SCRIPT[call]!)
      const inArray = scripted(major, (call) => SCRIPT[call]!)
      let array: UIMessage[] = []
      for (const text of QUESTIONS) {
        const question: UIMessage = { id: sdk.generateId(), role: 'user', parts: [{ type: 'text', text }] }
        const before = [...array, question]
        const messages = await sdk.convertToModelMessages(before, { tools })
        array = (
          await endOfStream(major, sdk.streamText({ ...settings(inArray.model), messages }) as never, before)
        ).messages

        await saveUIMessages(conversation, [question])
        const loaded = await loadUIMessages(conversation)
        const result = sdk.streamText({
          ...settings(kept.model),
          messages: await sdk.convertToModelMessages(loaded, { tools }),
        })
        const ended = await endOfStream(major, result as never, loaded)
        await saveUIMessages(conversation, ended.messages)
        expect(await loadUIMessages(conversation)).toEqual(ended.messages)
      }
      expect(kept.prompts).toEqual(inArray.prompts)
      const ids = new Map(array.map(({ id }, index) => [index, id]))
      const loaded = await loadUIMessages(conversation)
      expect(loaded.map((message, index) => ({ ...message, id: ids.get(index) }))).toEqual(array)
      expect(await loadModelMessages(conversation, { tools })).toEqual(
        await sdk.convertToModelMessages(loaded, { tools }),
      )
    })

    it('is shown in a UI when it was saved as model messages', async () => {
      const conversation = newConversation(store)
      const { model } = scripted(major, (call) => SCRIPT[call]!)
      for (const content of QUESTIONS) {
        const question = { role: 'user', content: [{ type: 'text', text: content }] } satisfies ModelMessage
        const messages = [...(await loadModelMessages(conversation)), question]
        const result = await sdk.generateText({ ...settings(model), messages })
        await saveModelMessages(conversation, [question, ...(await responseMessagesOf(major, result))])
      }
      const shown = await loadUIMessages(conversation)
      expect(shown.map(({ id, role }) => `${id} ${role}`)).toEqual(
        [1, 2, 3].flatMap((turn) => [`turn-${turn}-0 user`, `turn-${turn}-1 assistant`]),
      )
      expect(await sdk.validateUIMessages({ messages: shown, tools })).toEqual(shown)
      expect(await sdk.convertToModelMessages(shown, { tools })).toEqual(
        await loadModelMessages(conversation),
      )
    })
  })
}
