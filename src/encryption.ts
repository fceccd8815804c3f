export { encryption } from './encryption/encryption.ts'

export type { EncryptionOptions } from './encryption/encryption.ts'
export type { Codec, TextPlace, UserCodec } from './store/text-codec.ts'
