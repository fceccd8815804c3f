import type { UserPart } from '../types.ts'
import { base64 } from './own-json.ts'

/** A file as the AI SDK has it, in a model message or a UI message. */
export interface GivenFile {
  /** A URL, base64 text, bytes, a provider's reference, or one of these or a text in an object that says which. */
  readonly data: unknown
  readonly mediaType?: string | undefined
  readonly filename?: string | undefined
}

/** Where a file's content is: one of these. */
export interface FileSource {
  readonly url?: string
  readonly base64?: string
  readonly text?: string
  /** Its id at each provider that has it. */
  readonly reference?: Readonly<Record<string, string>>
}

/** Where the content of a file is, in whichever of the SDK's ways it says so. */
export function sourceOf(data: unknown): FileSource {
  if (typeof data === 'string') return /^[a-z][a-z0-9+.-]*:/i.test(data) ? { url: data } : { base64: data }
  if (data instanceof URL) return { url: data.href }
  if (data instanceof Uint8Array) return { base64: base64(data) }
  if (data instanceof ArrayBuffer) return { base64: base64(new Uint8Array(data)) }
  const given = data as Readonly<Record<string, string>>
  if (given['type'] === 'data') return sourceOf(given['data'])
  if (given['type'] === 'url') return sourceOf(given['url'])
  if (given['type'] === 'text') return { text: given['text']! }
  return { reference: given['type'] === 'reference' ? Object(given['reference']) : given }
}

/** A file of a user in chat form: as text, image, recording or file. */
export function toChatFile({ data, mediaType = '', filename }: GivenFile): UserPart {
  const source = sourceOf(data)
  if (source.text !== undefined) return { type: 'text', text: source.text }
  const name = filename === undefined ? {} : { filename }
  if (source.reference) {
    const [id = ''] = Object.values(source.reference)
    return { type: 'file', file: { file_id: id, ...name } }
  }
  const isImage = mediaType.startsWith('image')
  const type = isImage && !/^image\/[^*]/.test(mediaType) ? 'image/png' : mediaType
  const url = source.url ?? `data:${type};base64,${source.base64 ?? ''}`
  if (isImage) return { type: 'image_url', image_url: { url } }
  const format = AUDIO_FORMATS.get(mediaType)
  const recorded = format && BASE64_URL.exec(url)?.[1]
  if (recorded !== undefined && format)
    return { type: 'input_audio', input_audio: { data: recorded, format } }
  return { type: 'file', file: { file_data: url, ...name } }
}

/** What stands for a file where the chat form has text only. Its bytes are no text, and not counted as such. */
export function filePlaceholder(mediaType: string | undefined): string {
  return `[${mediaType ?? 'file'}]`
}

/** What a file's URL says of its type: of a data URL that it begins with. */
export function mediaTypeOf(url: string, otherwise: string): string {
  return /^data:([^;,]+)/.exec(url)?.[1] ?? otherwise
}

const BASE64_URL = /^data:[^,]*;base64,(.*)$/s

const AUDIO_FORMATS: ReadonlyMap<string, 'wav' | 'mp3'> = new Map([
  ['audio/wav', 'wav'],
  ['audio/x-wav', 'wav'],
  ['audio/mpeg', 'mp3'],
  ['audio/mp3', 'mp3'],
])
