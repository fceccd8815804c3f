import { isObject } from './json.ts'

/** The text of a message of ChatGPT. */
export interface ChatGptText {
  /** Undefined when nothing of the message is text. */
  readonly text: string | undefined
  /** The kinds of what cannot be turned into text. */
  readonly leftOut: readonly string[]
}

/** Under which field each kind of content keeps its text. */
const TEXT_FIELDS: ReadonlyMap<string, string> = new Map([
  ['code', 'text'],
  ['execution_output', 'text'],
  ['system_error', 'text'],
  ['tether_quote', 'text'],
  ['sonic_webpage', 'text'],
  ['tether_browsing_display', 'result'],
  ['citable_code_output', 'output_str'],
])

/** What stands for a part that the export keeps in a file of its own; as messages render that hold such parts. */
const PLACEHOLDERS: ReadonlyMap<string, string> = new Map([
  ['image_asset_pointer', '[image]'],
  ['audio_asset_pointer', '[audio]'],
  ['real_time_user_audio_video_asset_pointer', '[audio]'],
  ['video_container_asset_pointer', '[video]'],
])

/** Turns the content of a message into text. What is said beside a recording of it stands in for the recording. */
export function textOf(content: unknown): ChatGptText {
  const kind = kindOfContent(content)
  if (!isObject(content)) return { text: undefined, leftOut: [kind] }
  if (kind === 'text' || kind === 'multimodal_text') return textOfParts(content['parts'], kind)
  const field = TEXT_FIELDS.get(kind)
  const text = field === undefined ? undefined : content[field]
  return typeof text === 'string' ? { text, leftOut: [] } : { text: undefined, leftOut: [kind] }
}

/** The name that ChatGPT gives to a kind of content. */
export function kindOfContent(content: unknown): string {
  const kind = isObject(content) ? content['content_type'] : undefined
  return typeof kind === 'string' ? kind : 'content without a type'
}

function textOfParts(parts: unknown, kind: string): ChatGptText {
  if (!Array.isArray(parts)) return { text: undefined, leftOut: [kind] }
  const isTranscribed = parts.some((part) => kindOfContent(part) === 'audio_transcription')
  const texts: string[] = []
  const leftOut: string[] = []
  for (const part of parts) {
    const placeholder = PLACEHOLDERS.get(kindOfContent(part))
    if (isTranscribed && placeholder === '[audio]') continue
    const text = typeof part === 'string' ? part : (placeholder ?? ownText(part))
    if (text === undefined) leftOut.push(kindOfContent(part))
    else texts.push(text)
  }
  const isLost = texts.length === 0 && leftOut.length > 0
  return { text: isLost ? undefined : texts.join('\n'), leftOut }
}

function ownText(part: unknown): string | undefined {
  const text = isObject(part) ? part['text'] : undefined
  return typeof text === 'string' ? text : undefined
}
