import { connect, createServer, type Server } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { FaultPlan, type Fault, type Injection, type Seen } from './fault.ts'
import { Link } from './link.ts'

export type { Effect, Fault, Injection, Seen } from './fault.ts'

/**
 * A proxy on 127.0.0.1 before a Postgres server that reads along and breaks what it is told to. Whatever it does to the
 * client, the server works off what was passed on to it: {@link quiet} tells when it has.
 */
export class PostgresProxy implements AsyncDisposable {
  /** The server's URL, with the proxy's port. */
  readonly url: string
  readonly #target: URL
  readonly #port: number
  readonly #links = new Set<Link>()
  #server: Server
  #plan = new FaultPlan()
  #bytewise = false

  /** Use {@link startProxy}. */
  constructor(target: URL, server: Server) {
    this.#target = target
    this.#server = server
    this.#port = portOf(server)
    const url = new URL(target)
    url.host = `127.0.0.1:${this.#port}`
    this.url = url.href
    this.#takeConnections()
  }

  /** What passed since the last `inject`, or since the start. */
  get seen(): Seen {
    return this.#plan.seen
  }

  /** From now on this happens, and nothing that was told before. Counting begins anew. */
  inject(fault: Fault): Injection {
    this.#plan = new FaultPlan(fault)
    return this.#plan.injection
  }

  /** Every answer of the server arrives byte by byte, until {@link heal}. */
  deliverBytewise(): void {
    this.#bytewise = true
  }

  /** New connections are refused, since nobody listens, until {@link heal}. Open ones stay. */
  refuse(): void {
    this.#server.close()
  }

  /** Nothing is broken any more; counting begins anew. A connection that was stalled stays so. */
  async heal(): Promise<void> {
    this.#plan = new FaultPlan()
    this.#bytewise = false
    if (this.#server.listening) return
    this.#server = await listen(this.#port)
    this.#takeConnections()
  }

  /** Resets every open connection, and tells how many. */
  cutAll(): number {
    for (const link of this.#links) link.cut()
    return this.#links.size
  }

  /** Waits until the server has ended each connection whose client is gone: what it was going to store is stored. */
  async quiet(): Promise<void> {
    while ([...this.#links].some((link) => link.isFinishing)) await setTimeout(1)
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.destroy()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #takeConnections(): void {
    this.#server.on('connection', (client) => {
      this.#plan.seen.connections++
      const server = connect(Number(this.#target.port), this.#target.hostname)
      const link = new Link(client, server, () => ({ plan: this.#plan, bytewise: this.#bytewise }))
      this.#links.add(link)
      server.on('close', () => this.#links.delete(link))
    })
  }
}

/** A proxy before the server that the URL names. */
export async function startProxy(url: string): Promise<PostgresProxy> {
  return new PostgresProxy(new URL(url), await listen(0))
}

async function listen(port: number): Promise<Server> {
  // Half-open, so that a client that ends its side still gets what the server says.
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return address.port
}
