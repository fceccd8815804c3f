import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { CorruptDataError, MissingKeyError } from '../errors.ts'
import type { TextPlace, UserCodec } from '../store/text-codec.ts'
import { fromBase64, KEY_BYTES, KEY_ID } from './keys.ts'

const CIPHER = 'aes-256-gcm'
/** Sizes in bytes. Source: NIST SP 800-38D, which has these as the defaults of GCM. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Begins every derivation and everything that is bound, so that another form can never be taken for this one. */
const FORM = 'backscroll:1'

/** Whose keys, and what they are derived from. */
export interface UserKeys {
  readonly userId: string
  readonly secret: Uint8Array | undefined
  readonly masters: ReadonlyMap<string, KeyObject>
  readonly current: string
}

/**
 * One user's encryption. The form is `1:KEYID:BASE64`, the bytes being nonce, ciphertext and tag. Bound to it, as
 * additional data, are the form, the kind of text, the key's id, the user and the conversation. Not the position: it is
 * handed out inside the statement that stores the turn.
 */
export class UserEncryption implements UserCodec {
  readonly #of: UserKeys
  readonly #derived = new Map<string, KeyObject>()

  constructor(of: UserKeys) {
    this.#of = of
  }

  encode(text: string, place: TextPlace): string {
    const { current } = this.#of
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key(current), nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(this.#bound(current, place))
    const bytes = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return `1:${current}:${Buffer.concat(bytes).toString('base64')}`
  }

  decode(encoded: string, place: TextPlace): string {
    const [keyId, base64] = split(encoded)
    const bytes = fromBase64(base64)
    if (!bytes || bytes.length < NONCE_BYTES + TAG_BYTES) throw new CorruptDataError(UNKNOWN_FORM)
    const key = this.#key(keyId)
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(this.#bound(keyId, place))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    try {
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch {
      throw new CorruptDataError(CHANGED)
    }
  }

  isCurrent(encoded: string): boolean {
    return encoded.startsWith(`1:${this.#of.current}:`)
  }

  /** The user's key under a master key, derived at its first use. Source: HKDF, RFC 5869. */
  #key(id: string): KeyObject {
    const derived = this.#derived.get(id)
    if (derived) return derived
    const { userId, secret, masters } = this.#of
    const master = masters.get(id)
    if (!master) {
      throw new MissingKeyError(
        `A stored text is encrypted with the key '${id}', which the codec was not given.`,
      )
    }
    // Two purposes: else a secret of zeros would be none, as HMAC pads what it is keyed with.
    const purpose = `${FORM}:${secret ? 'user and secret' : 'user'}:${userId}`
    const bytes = hkdfSync('sha256', master, secret ?? new Uint8Array(), purpose, KEY_BYTES)
    const key = createSecretKey(new Uint8Array(bytes))
    this.#derived.set(id, key)
    return key
  }

  /** As a JSON array, in which no two lists of texts look alike. */
  #bound(keyId: string, { kind, conversationId }: TextPlace): Buffer {
    return Buffer.from(JSON.stringify([FORM, kind, keyId, this.#of.userId, conversationId]))
  }
}

function split(encoded: string): [keyId: string, base64: string] {
  const [version, keyId = '', base64, ...more] = encoded.split(':')
  if (version === '1' && KEY_ID.test(keyId) && base64 !== undefined && more.length === 0)
    return [keyId, base64]
  throw new CorruptDataError(UNKNOWN_FORM)
}

const UNKNOWN_FORM =
  'A stored text is not in the form of this encryption: something else changed it, or another codec or a later ' +
  'version wrote it.'
const CHANGED =
  'A stored text was changed, or moved here from another row, or was encrypted with another key of the same id, or ' +
  'with another secret of the user.'
