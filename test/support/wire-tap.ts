import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { messageSplitter } from './faults/wire.ts'

/** Passes all on between a client and a server, and notes what the client waits for. */
export interface WireTap extends AsyncDisposable {
  /** The URL of the database, through here. */
  readonly url: string
  /** How often the client spoke after the server had, since this was last asked: each is a round trip. */
  roundTrips(): number
  /** What each connection asked the server to set for it, since this was last asked, in the order of their making. */
  startups(): string[][]
}

/** What a server does not grant. */
export interface Refusal {
  /** The name of a setting that connections ask for. */
  readonly setting: string
  /** What those that ask for it get before they are cut. */
  readonly answer: Buffer
}

/** Listens on a free port of 127.0.0.1. */
export async function tapWire(databaseUrl: string, refusal?: Refusal): Promise<WireTap> {
  const { hostname, port } = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let roundTrips = 0
  const startups: string[][] = []
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    // The start of a session has no type and is no statement.
    const split = messageSplitter({ untyped: 1 })
    let serverSpoke = true
    client.once('data', (bytes) => {
      const startup = bytes.subarray(8).toString().split('\0')
      startups.push(startup)
      if (!refusal || !startup.includes(refusal.setting)) return
      upstream.destroy()
      client.end(refusal.answer)
    })
    client.on('data', (bytes) => {
      if (split(bytes).length > 0 && serverSpoke) roundTrips++
      serverSpoke = false
    })
    upstream.on('data', () => (serverSpoke = true))
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    roundTrips() {
      const counted = roundTrips
      roundTrips = 0
      return counted
    },
    startups: () => startups.splice(0),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
