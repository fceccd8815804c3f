import {
  Agent,
  MemorySession,
  OutputGuardrailTripwireTriggered,
  RunState,
  type AgentInputItem,
  type Session,
} from '@openai/agents-core'
import { assistantMessage, ScriptedModel } from '@openai/agents-core/testing'
import { expect, it } from 'vitest'
import type { ConversationStore } from '../src/index.ts'
import { BackscrollSession } from '../src/openai-agents.ts'
import { toMessages } from '../src/openai-agents/chat-form.ts'
import { withoutOrphans } from '../src/openai-agents/orphans.ts'
import { ask, inputsOf, runner, thought, weatherAgent, weatherOf } from './openai-agents/scripts.ts'
import { onEachDatabase } from './support/databases.ts'
import { chatTokens, oracleCount } from './support/oracle.ts'

onEachDatabase('a run with a session', (database) => {
  let sessions = 0
  const sessionsOf = async (options: { maxTokens?: number } = {}) => {
    const store = await database.open()
    const conversationId = `run-${++sessions}`
    // Another object each time, as in another process.
    return () => new BackscrollSession({ store, userId: 'ada', conversationId, ...options })
  }

  /** Makes the same runs on the SDK's session in memory and on ours; what is returned must be the same. */
  const compare = async (scenario: (session: () => Session) => Promise<unknown>): Promise<unknown> => {
    const memory = new MemorySession()
    const session = await sessionsOf()
    const expected = await scenario(() => memory)
    expect(await scenario(session)).toEqual(expected)
    expect(await session().getItems()).toEqual(await memory.getItems())
    return expected
  }

  it.each([
    { stream: false, how: 'at once' },
    { stream: true, how: 'as a stream' },
  ])(
    'gives the model what the SDK in memory gives it, with tools over several runs, $how',
    async ({ stream }) => {
      const compared = await compare(async (session) => {
        const weather = weatherAgent([
          [thought, weatherOf('Oslo', 'call_1')],
          [assistantMessage('-4 °C.', { id: 'msg_1', providerData: { annotations: [] } })],
          [weatherOf('Rome', 'call_2'), weatherOf('Bonn', 'call_3')],
          [weatherOf('Nice', 'call_4')],
          [assistantMessage('Both -4 °C.', { phase: 'final_answer' })],
          [assistantMessage('You are welcome.')],
        ])
        const outputs = [
          await ask(weather, 'How cold is it in Oslo?', session(), { stream }),
          await ask(weather, [{ role: 'user', content: 'In Rome and Bonn?' }], session(), { stream }),
          await ask(weather, 'Thank you. <|endoftext|> \0 \u{1F600}', session(), { stream }),
        ]
        weather.model.assertComplete()
        return { outputs, inputs: inputsOf(weather) }
      })
      const texts = ['-4 °C.', 'Both -4 °C.', 'You are welcome.']
      expect(compared).toMatchObject({ outputs: stream ? texts.map((text) => [text, text]) : texts })
    },
  )

  it('goes on where a run was interrupted for an approval, in another process as well', async () => {
    const result = await compare(async (session) => {
      const script = () =>
        weatherAgent([[weatherOf('Oslo', 'call_1')], [assistantMessage('-4 °C.')]], { needsApproval: true })
      const first = script()
      const { state, interruptions } = await runner.run(first.agent, 'Oslo?', { session: session() })
      expect(interruptions.map(({ name }) => name)).toEqual(['weather'])
      const between = await session().getItems()

      const second = weatherAgent([[assistantMessage('-4 °C.')], [assistantMessage('Bye.')]], {
        needsApproval: true,
      })
      const resumed = await RunState.fromString(second.agent, state.toString())
      for (const interruption of resumed.getInterruptions()) resumed.approve(interruption)
      const { finalOutput } = await runner.run(second.agent, resumed, { session: session() })
      const last = await ask(second, 'Bye.', session())
      return { between, finalOutput, last, inputs: [inputsOf(first), inputsOf(second)] }
    })
    expect(result).toMatchObject({ finalOutput: '-4 °C.', last: 'Bye.' })
  })

  it('tells a model of a call that was not approved', async () => {
    await compare(async (session) => {
      const weather = weatherAgent([[weatherOf('Oslo', 'call_1')], [assistantMessage('A pity.')]], {
        needsApproval: true,
      })
      const { state } = await runner.run(weather.agent, 'Oslo?', { session: session() })
      for (const interruption of state.getInterruptions()) state.reject(interruption)
      const { finalOutput } = await runner.run(weather.agent, state, { session: session() })
      return { finalOutput, inputs: inputsOf(weather) }
    })
  })

  it('keeps what tools did when a guardrail blocks the answer, and adds the answer that it lets pass', async () => {
    const result = await compare(async (session) => {
      const weather = weatherAgent([[weatherOf('Oslo', 'call_1')], [assistantMessage('-4 °C.')]])
      let checks = 0
      const execute = async () => ({ tripwireTriggered: checks++ === 0, outputInfo: {} })
      weather.agent.outputGuardrails = [{ name: 'second thoughts', execute }]
      const run = runner.run(weather.agent, 'Oslo?', { session: session() })
      const blocked: unknown = await run.catch((error: unknown) => error)
      if (!(blocked instanceof OutputGuardrailTripwireTriggered) || !blocked.state) throw blocked
      const between = await session().getItems()
      const { finalOutput } = await runner.run(weather.agent, blocked.state, { session: session() })
      return { between, finalOutput }
    })
    expect(result).toMatchObject({
      between: [{ role: 'user' }, { type: 'function_call' }, { type: 'function_call_result' }],
      finalOutput: '-4 °C.',
    })
  })

  it('puts a compaction of the model’s in the place of what it stands for', async () => {
    const compaction = { type: 'compaction', encrypted_content: 'gAAAAB', id: 'cmp_1' } as const
    const result = await compare(async (session) => {
      const weather = weatherAgent([
        [assistantMessage('Hi.')],
        [compaction, assistantMessage('Still here.')],
        [assistantMessage('Bye.')],
      ])
      for (const input of ['Hi.', 'Are you there?', 'Bye.']) await ask(weather, input, session())
      return { items: await session().getItems(), inputs: inputsOf(weather) }
    })
    expect(result).toMatchObject({
      items: [compaction, { role: 'assistant' }, { role: 'user' }, { role: 'assistant' }],
    })
  })

  it('gives each call of a model whole turns within the limit, and no result without its call', async () => {
    const maxTokens = 150
    const session = await sessionsOf({ maxTokens })
    const runs = 24
    const weather = weatherAgent(
      Array.from({ length: runs }, (_, run) =>
        run % 3 === 2
          ? [[assistantMessage(`As I said ${'before '.repeat(run)}.`)]]
          : [
              [thought, weatherOf('Oslo', `call_${run}`), weatherOf('Rome', `other_${run}`)],
              [assistantMessage('-4 °C.', { id: `msg_${run}` })],
            ],
      ).flat(),
    )
    for (let run = 0; run < runs; run++)
      await ask(weather, `Question ${run}?`, session(), { stream: run % 2 === 0 })
    weather.model.assertComplete()

    const count = oracleCount('o200k_base')
    const tokensOf = (items: AgentInputItem[]) => chatTokens(toMessages('items', items), count)
    const turns = (await session().conversation.listTurns({ limit: 1000 })).map((turn) => turn.messages)
    expect(turns.length).toBe(runs)
    const inputs = inputsOf(weather) as AgentInputItem[][]
    const histories = inputs.map((input) => {
      expect(withoutOrphans(input)).toEqual(input)
      const asked = input.findLastIndex((item) => 'role' in item && item.role === 'user')
      const { content } = input[asked] as { content: string }
      const run = Number(/\d+/.exec(content))
      const history = input.slice(0, asked)
      expect(tokensOf(history)).toBeLessThanOrEqual(maxTokens)
      const kept = history.filter((item) => 'role' in item && item.role === 'user').length
      const next = run > kept ? turns.slice(run - kept - 1, run) : []
      if (next.length > 0) expect(chatTokens(next.flat(), count)).toBeGreaterThan(maxTokens)
      return { run, kept }
    })
    expect(histories.filter(({ run, kept }) => kept > 0 && kept < run).length).toBeGreaterThan(10)
  })
})

onEachDatabase("the SDK's documented examples", (database) => {
  const documented = (title: string, example: (session: Session) => Promise<unknown>, expected: unknown) => {
    it(title, async () => {
      const store = await database.open()
      expect(await example(new MemorySession())).toEqual(expected)
      expect(await example(sessionOn(store, title))).toEqual(expected)
    })
  }
  const guide = (...answers: string[]) => weatherAgent(answers.map((answer) => [assistantMessage(answer)]))

  documented(
    'a second question that needs the first one',
    async (session) => {
      const agent = guide('San Francisco', 'California')
      const first = await ask(agent, 'What city is the Golden Gate Bridge in?', session)
      const second = await ask(agent, 'What state is it in?', session)
      return [first, second, inputsOf(agent).map((input) => (input as unknown[]).length)]
    },
    ['San Francisco', 'California', [1, 3]],
  )

  documented(
    'reading, correcting and clearing the history',
    async (session) => {
      await session.addItems([
        { type: 'message', role: 'user', content: 'Where is it?' },
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'Here.' }],
        },
        { type: 'message', role: 'user', content: 'Are you sur' },
      ])
      const typo = await session.popItem()
      const agent = guide('Yes.')
      await ask(agent, 'Are you sure?', session)
      const counts = [(await session.getItems()).length, (await session.getItems(2)).length]
      await session.clearSession()
      return [typo, counts, await session.getItems(), await session.popItem()]
    },
    [{ type: 'message', role: 'user', content: 'Are you sur' }, [4, 2], [], undefined],
  )

  documented(
    'a callback that shortens the history',
    async (session) => {
      const agent = guide('One.', 'Two.', 'Three.')
      const sessionInputCallback = (history: AgentInputItem[], items: AgentInputItem[]) => [
        ...history.slice(-1),
        ...items,
      ]
      await ask(agent, 'First?', session)
      await ask(agent, 'Second?', session, { sessionInputCallback })
      await ask(agent, [{ role: 'user', content: 'Third?' }], session, { sessionInputCallback })
      return [inputsOf(agent).map((input) => (input as unknown[]).length), (await session.getItems()).length]
    },
    [[1, 2, 2], 6],
  )

  documented(
    'an agent that hands over to another',
    async (session) => {
      const french = new Agent({ name: 'French', model: new ScriptedModel([[assistantMessage('Bonjour.')]]) })
      const greeter = new Agent({
        name: 'Greeter',
        handoffs: [french],
        model: new ScriptedModel([
          [{ ...weatherOf('', 'call_1'), name: 'transfer_to_French', arguments: '{}' }],
        ]),
      })
      const { finalOutput } = await runner.run(greeter, 'Hello in French?', { session })
      return [finalOutput, (await session.getItems()).map(({ type }) => type)]
    },
    ['Bonjour.', ['message', 'function_call', 'function_call_result', 'message']],
  )
})

function sessionOn(store: ConversationStore, conversationId: string): BackscrollSession {
  return new BackscrollSession({ store, userId: 'ada', conversationId })
}
