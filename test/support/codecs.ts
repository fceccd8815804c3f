import { encryption } from '../../src/encryption.ts'
import type { Codec } from '../../src/index.ts'

/** A master key of 32 equal bytes: no key for anything but a test. */
export function masterKey(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte)
}

/** An encryption for which nothing is ever current, so that `reencrypt` rewrites all there is each time. */
export const RESTLESS: Codec = {
  acceptPlaintext: true,
  async forUser(userId) {
    const codec = await encryption({ keys: { only: masterKey(1) } }).forUser(userId)
    return {
      encode: (text, place) => codec.encode(text, place),
      decode: (encoded, place) => codec.decode(encoded, place),
      isCurrent: () => false,
    }
  },
}
