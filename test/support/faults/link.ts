import type { Socket } from 'node:net'
import type { Effect, FaultPlan } from './fault.ts'
import { errorResponse, messageSplitter, READY, type WireMessage } from './wire.ts'

/** What a link asks its proxy: it may change while the link is open. */
export interface LinkSettings {
  readonly plan: FaultPlan
  readonly bytewise: boolean
}

/** One client's connection through the proxy to the server. */
export class Link {
  readonly #client: Socket
  readonly #server: Socket
  readonly #settings: () => LinkSettings
  #state: 'passing' | 'refusing' | 'finishing' | 'stalled' | 'cut' = 'passing'
  #inStatement = false

  constructor(client: Socket, server: Socket, settings: () => LinkSettings) {
    this.#client = client
    this.#server = server
    this.#settings = settings
    const fromClient = messageSplitter({ untyped: 1 })
    const fromServer = messageSplitter({ untyped: 0 })
    client.on('data', (bytes) => fromClient(bytes).forEach((message) => this.#onClient(message)))
    server.on('data', (bytes) => fromServer(bytes).forEach((message) => this.#onServer(message)))
    client.on('close', () => this.#letServerFinish())
    server.on('close', () => {
      this.#state = 'cut'
      client.end()
    })
    // A broken connection is what the proxy is for.
    client.on('error', () => {})
    server.on('error', () => {})
    client.setNoDelay()
    server.setNoDelay()
  }

  /** True once the client was cut and the server has not ended the connection yet. */
  get isFinishing(): boolean {
    const isCut = this.#state === 'cut' || this.#state === 'finishing' || this.#client.closed
    return isCut && !this.#server.closed
  }

  /** Resets the client's connection. */
  cut(): void {
    this.#state = 'cut'
    this.#client.resetAndDestroy()
    this.#letServerFinish()
  }

  /** Ends the server's connection too, which may not have noticed anything. */
  destroy(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  #onClient(message: WireMessage): void {
    if (this.#state === 'refusing') return this.#refuse(message)
    if (this.#state !== 'passing') return
    const effect = this.#settings().plan.count('client', ...this.#statementBegins(message))
    if (effect === undefined) this.#server.write(message.bytes)
    else this.#breakClient(message, effect)
  }

  #breakClient(message: WireMessage, effect: Effect): void {
    if (effect === 'stall') {
      this.#state = 'stalled'
    } else if (effect === 'cut before') {
      this.cut()
    } else if (effect === 'cut within') {
      this.#server.write(firstHalf(message.bytes))
      this.#cutWith(Buffer.alloc(0))
    } else if (effect === 'cut after') {
      this.#server.write(message.bytes)
      if (endsStatement(message)) this.#state = 'finishing'
      else this.#cutWith(Buffer.alloc(0))
    } else if (effect.fatal) {
      this.#cutWith(errorResponse({ ...effect, fatal: true }))
    } else {
      this.#state = 'refusing'
      this.#client.write(errorResponse({ ...effect, fatal: false }))
      this.#refuse(message)
    }
  }

  /** As the server does after an error: it passes over what comes, and is ready again when the statement ends. */
  #refuse(message: WireMessage): void {
    if (!endsStatement(message)) return
    this.#state = 'passing'
    this.#inStatement = false
    this.#client.write(READY)
  }

  #onServer(message: WireMessage): void {
    if (this.#state === 'finishing' && message.type === 'Z') return this.#cutWith(Buffer.alloc(0))
    if (this.#state !== 'passing') return
    const effect = this.#settings().plan.count('server')
    if (effect === undefined) this.#deliver(message.bytes)
    else if (effect === 'stall') this.#state = 'stalled'
    else if (effect === 'cut before') this.#cutWith(Buffer.alloc(0))
    else if (effect === 'cut within') this.#cutWith(firstHalf(message.bytes))
    else if (effect === 'cut after') this.#cutWith(message.bytes)
    else this.#cutWith(errorResponse({ ...effect, fatal: true }))
  }

  #deliver(bytes: Buffer): void {
    if (!this.#settings().bytewise) return void this.#client.write(bytes)
    // Without delay, each write is a segment of its own.
    for (const byte of bytes) this.#client.write(Buffer.of(byte))
  }

  /** Ends the client's connection in order, after these last bytes. */
  #cutWith(last: Buffer): void {
    this.#state = 'cut'
    this.#client.end(last)
    this.#client.destroySoon()
    this.#letServerFinish()
  }

  /** Half-closed, so that the server works off all that was passed on, and then ends. What it still says is lost. */
  #letServerFinish(): void {
    this.#server.end()
  }

  #statementBegins({ type }: WireMessage): readonly 'statement'[] {
    const begins = !this.#inStatement && 'PBQ'.includes(type) && type !== ''
    if (begins) this.#inStatement = type !== 'Q'
    if (type === 'S') this.#inStatement = false
    return begins ? ['statement'] : []
  }
}

/** Sync or Query: with it the server commits what it was asked to do outside of a transaction. */
function endsStatement({ type }: WireMessage): boolean {
  return type === 'S' || type === 'Q'
}

function firstHalf(bytes: Buffer): Buffer {
  return bytes.subarray(0, Math.ceil(bytes.length / 2))
}
