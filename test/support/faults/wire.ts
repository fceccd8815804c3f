/** A message of the Postgres protocol, as it came. The first message of a client has no type: `''`. */
export interface WireMessage {
  readonly type: string
  readonly bytes: Buffer
}

/** What splits one side's bytes into messages, however they come. */
export type Splitter = (bytes: Buffer) => WireMessage[]

/** @param untyped how many messages come first that start with their length, as a client's first does. */
export function messageSplitter({ untyped }: { readonly untyped: number }): Splitter {
  let rest: Buffer = Buffer.alloc(0)
  let untypedLeft = untyped
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    const messages: WireMessage[] = []
    for (;;) {
      const typeBytes = untypedLeft > 0 ? 0 : 1
      if (rest.length < typeBytes + 4) return messages
      // The length that a message states counts itself, and not the type.
      const length = typeBytes + rest.readUInt32BE(typeBytes)
      if (rest.length < length) return messages
      messages.push({ type: rest.toString('latin1', 0, typeBytes), bytes: rest.subarray(0, length) })
      rest = rest.subarray(length)
      untypedLeft = Math.max(0, untypedLeft - 1)
    }
  }
}

/** An ErrorResponse, as the server writes it. */
export function errorResponse({
  sqlstate,
  fatal,
}: {
  readonly sqlstate: string
  readonly fatal: boolean
}): Buffer {
  const severity = fatal ? 'FATAL' : 'ERROR'
  const fields = [`S${severity}`, `V${severity}`, `C${sqlstate}`, 'Mplayed by the proxy'].join('\0')
  const body = Buffer.from(`${fields}\0\0`)
  const head = Buffer.from('E\0\0\0\0')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** A ReadyForQuery outside of any transaction. */
export const READY: Buffer = Buffer.from('Z\0\0\0\x05I')
