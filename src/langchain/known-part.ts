import type { ContentPart } from '../types.ts'

/** A piece of content that says of what type it is, in any of the forms of LangChain and the providers. */
type Block = Readonly<Record<string, unknown>> & { readonly type: string }

/** Whether a piece of content says of what type it is. */
export function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

/**
 * The part that chat form has for a piece of content: itself where it is one, with all its fields, else made of what
 * LangChain or Anthropic writes in its place. Undefined where there is none.
 */
export function knownPart(block: unknown): ContentPart | undefined {
  if (!isBlock(block)) return undefined
  if (isPart(block)) return block as unknown as ContentPart
  switch (block.type) {
    case 'text-plain':
      return typeof block['text'] === 'string' ? { type: 'text', text: block['text'] } : undefined
    case 'image_url':
      return imagePart({ url: block['image_url'] })
    case 'image':
      return imagePart(sourceOf(block))
    case 'audio':
      return audioPart(sourceOf(block))
    case 'file':
    case 'document':
      return filePart(sourceOf(block))
    default:
      return undefined
  }
}

/** Whether a piece of content is in OpenAI chat form, where a part is in the field that has the name of its type. */
function isPart(block: Block): boolean {
  const value = block[block.type]
  if (['text', 'refusal'].includes(block.type)) return typeof value === 'string'
  return (
    ['image_url', 'input_audio', 'file'].includes(block.type) && typeof value === 'object' && value !== null
  )
}

/** Where an image, a recording or a file is, as it was written. */
interface Source {
  readonly url?: unknown
  readonly data?: unknown
  readonly mimeType?: unknown
  readonly fileId?: unknown
}

/** Reads LangChain's blocks of version 1 and 0, and Anthropic's, whose `source` holds what theirs hold themselves. */
function sourceOf(block: Block): Source {
  const source = isBlock(block['source']) ? block['source'] : block
  const mimeType =
    source['mimeType'] ?? source['mime_type'] ?? source['media_type'] ?? 'application/octet-stream'
  const ownId = source['source_type'] === 'id' ? source['id'] : undefined
  return {
    url:
      source['url'] ??
      (typeof source['data'] === 'string' ? `data:${mimeType};base64,${source['data']}` : undefined),
    data: source['data'],
    mimeType,
    fileId: source['fileId'] ?? source['file_id'] ?? ownId,
  }
}

function imagePart({ url }: Source): ContentPart | undefined {
  return typeof url === 'string' ? { type: 'image_url', image_url: { url } } : undefined
}

function audioPart({ data, mimeType }: Source): ContentPart | undefined {
  const format = AUDIO_FORMATS.get(mimeType)
  return typeof data === 'string' && format
    ? { type: 'input_audio', input_audio: { data, format } }
    : undefined
}

/** The recordings that chat form takes. */
const AUDIO_FORMATS: ReadonlyMap<unknown, 'mp3' | 'wav'> = new Map([
  ['audio/mpeg', 'mp3'],
  ['audio/mp3', 'mp3'],
  ['audio/wav', 'wav'],
])

function filePart({ url, data, fileId }: Source): ContentPart | undefined {
  if (typeof fileId === 'string') return { type: 'file', file: { file_id: fileId } }
  return typeof url === 'string' && data !== undefined
    ? { type: 'file', file: { file_data: url } }
    : undefined
}
