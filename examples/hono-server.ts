// Shows: a chat server for many users: answers as server-sent events, a memory for each user, and an end by Ctrl-C.
// Run: npx tsx examples/hono-server.ts (DATABASE_URL=postgres://…, in place of the file chat.db here; PORT=3000)
// Prints: Listening on http://127.0.0.1:3000
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import {
  BackscrollError,
  ConversationChain,
  ConversationTokenBufferMemory,
  InvalidArgumentError,
  openStore,
} from 'backscroll'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { streamSSE } from 'hono/streaming'
import { validator } from 'hono/validator'
import OpenAI from 'openai'
import { answerWithoutKey } from './local-model.ts'

await answerWithoutKey() // leave this out of your own app, and set OPENAI_API_KEY

const store = await openStore(process.env.DATABASE_URL ?? 'sqlite:chat.db')
const client = new OpenAI()

/** Stands for your sign-in. Who it is comes from there alone, never from a path or a body. */
const USERS: ReadonlyMap<string | undefined, string> = new Map([
  ['Bearer token-of-ada', 'ada'],
  ['Bearer token-of-bo', 'bo'],
])

const app = new Hono<{ Variables: { userId: string } }>()

app.use(async (context, next) => {
  const userId = USERS.get(context.req.header('authorization'))
  if (userId === undefined) return context.json({ error: 'Sign in first.' }, 401)
  context.set('userId', userId)
  return next()
})

function memoryOf(userId: string, conversationId: string): ConversationTokenBufferMemory {
  return new ConversationTokenBufferMemory({ store, userId, conversationId, returnMessages: true })
}

const withInput = validator('json', (body: { input?: unknown } | null, context) => {
  const input = body?.input
  return typeof input === 'string' ? { input } : context.json({ error: 'The body has no input.' }, 400)
})

// curl -N http://127.0.0.1:3000/conversations/first/messages \
//   -H 'authorization: Bearer token-of-ada' --json '{"input":"My name is Ada."}'
app.post('/conversations/:id/messages', withInput, (context) => {
  const memory = memoryOf(context.var.userId, context.req.param('id'))
  const chain = new ConversationChain({ client, model: 'gpt-5-mini', memory })
  return streamSSE(context, async (stream) => {
    // Aborted when the client has gone: the request to the model ends then, and nothing is stored.
    const { signal } = context.req.raw
    // A client that sends the request again, with the same key, gets the answer that is stored.
    const idempotencyKey = context.req.header('idempotency-key')
    try {
      for await (const text of chain.stream(context.req.valid('json'), { signal, idempotencyKey })) {
        await stream.writeSSE({ data: JSON.stringify(text) })
      }
      await stream.writeSSE({ event: 'done', data: '' })
    } catch (error) {
      if (signal.aborted) return
      log(error)
      await stream.writeSSE({ event: 'error', data: '' })
    }
  })
})

app.get('/conversations/:id/messages', async (context) => {
  const { messages } = await memoryOf(context.var.userId, context.req.param('id')).loadWindow()
  return context.json(messages)
})

app.delete('/me', async (context) => context.json(await store.forgetUser(context.var.userId)))

app.onError((error, context) => {
  if (error instanceof InvalidArgumentError) return context.json({ error: error.message }, 400)
  if (error instanceof HTTPException) return error.getResponse()
  log(error)
  return context.json({ error: 'This did not work.' }, 500)
})

/** Of what others throw, only the name: a model's server may quote what was said. */
function log(error: unknown): void {
  console.error('Failed:', error instanceof Error && !(error instanceof BackscrollError) ? error.name : error)
}

const server = serve(
  { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) },
  ({ port }) => console.log(`Listening on http://127.0.0.1:${port}`),
) as Server // and not one of HTTP/2, which nobody asked for

/** How long the answers under way may take to come to their end. Milliseconds. */
const GRACE_MS = 10_000

/** Takes no more requests, and ends when the answers under way have ended. */
function stop(): void {
  // Under tsx, Ctrl-C comes twice.
  if (!server.listening) return
  console.log('Stopping.')
  server.close(() => void store.close())
  // Or the connection of an answer that has ended would be kept for the next request, and the process with it: 5 s.
  setInterval(() => server.closeIdleConnections(), 100).unref()
  setTimeout(() => server.closeAllConnections(), GRACE_MS).unref()
}
process.on('SIGINT', stop).on('SIGTERM', stop)
