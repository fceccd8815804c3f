import type { KeyObject } from 'node:crypto'
import { InvalidArgumentError, MissingKeyError } from '../errors.ts'
import { isThenable } from '../in-time.ts'
import { kindOf } from '../redact.ts'
import { checkFlag, checkOptions } from '../store/arguments.ts'
import type { Codec } from '../store/text-codec.ts'
import { checkCurrent, checkKeys } from './keys.ts'
import { UserEncryption } from './user-encryption.ts'

/** A secret of one user: undefined or null when it is gone. */
type UserSecret = Uint8Array | null | undefined

/** What to encrypt with. */
export interface EncryptionOptions {
  /** Master keys by id: 32 random bytes each, or these in base64. Keep the old ones until `reencrypt` has run. */
  readonly keys: Readonly<Record<string, Uint8Array | string>>
  /** The id of the key to encrypt with; needed where there are several. */
  readonly current?: string | undefined
  /**
   * A secret of this user alone, of 16 random bytes or more, which you keep apart from the database and its backups: the
   * user's keys are derived from it. When it is deleted, nothing of the user can be read any more, wherever it is.
   * Asked once a call of the store; nothing of it is kept longer. Without it, keys are derived from the master key and
   * the user's id alone.
   */
  readonly userSecret?: ((userId: string) => UserSecret | PromiseLike<UserSecret>) | undefined
  /** True lets texts be read that were stored before they were encrypted, until `reencrypt` has run. Default: false. */
  readonly acceptPlaintext?: boolean | undefined
}

/**
 * A codec for a store that encrypts messages and metadata with AES-256-GCM, under keys of each user's own. What it
 * encrypts is bound to its user and its conversation: moved to another row of either, or changed, it is refused.
 *
 * Ids, idempotency keys, positions, times and token counts stay in clear.
 *
 * @throws {InvalidArgumentError} for keys that are none.
 */
export function encryption(options: EncryptionOptions): Codec {
  return new Encryption(options)
}

/** Keys and secrets are private fields, and key objects besides: neither `inspect` nor JSON shows them. */
class Encryption implements Codec {
  readonly acceptPlaintext: boolean
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #current: string
  readonly #userSecret: EncryptionOptions['userSecret']

  constructor(options: EncryptionOptions) {
    const { keys, current, userSecret, acceptPlaintext } = checkOptions('encryption', options)
    this.#keys = checkKeys(keys)
    this.#current = checkCurrent(current, this.#keys)
    this.acceptPlaintext = checkFlag('acceptPlaintext', acceptPlaintext ?? false)
    if (userSecret !== undefined && typeof userSecret !== 'function') {
      throw new InvalidArgumentError(
        `userSecret must be a function (userId) => secret; got ${kindOf(userSecret)}.`,
      )
    }
    this.#userSecret = userSecret
  }

  forUser(userId: string): UserEncryption | Promise<UserEncryption> {
    if (!this.#userSecret) return this.#forUser(userId)
    const secret = this.#userSecret(userId)
    return isThenable(secret)
      ? Promise.resolve(secret).then((bytes) => this.#forUser(userId, checkSecret(bytes)))
      : this.#forUser(userId, checkSecret(secret))
  }

  #forUser(userId: string, secret?: Uint8Array): UserEncryption {
    return new UserEncryption({ userId, secret, masters: this.#keys, current: this.#current })
  }
}

/** Fewer bytes of a user's secret could be guessed by someone who has the master keys. */
const LEAST_SECRET_BYTES = 16

function checkSecret(secret: UserSecret): Uint8Array {
  if (secret instanceof Uint8Array && secret.length >= LEAST_SECRET_BYTES) return secret
  if (secret === undefined || secret === null) {
    throw new MissingKeyError(
      'The secret of this user is gone: what the user said can be read no more, and nothing be added. ' +
        'To remove the rows as well: forgetUser.',
    )
  }
  throw new InvalidArgumentError(
    `userSecret must give a Uint8Array of ${LEAST_SECRET_BYTES} bytes or more, or undefined when it is gone; got ${kindOf(secret)}.`,
  )
}
