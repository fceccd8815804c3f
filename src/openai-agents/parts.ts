import type { ContentPart } from '../types.ts'
import { canonicalJson, isObject, type JsonObject } from './json.ts'

/** A part of an item's content: an object with a type. */
export type ItemPart = JsonObject & { readonly type: string }

/** Whether a value is a part as items have them. */
export function isPart(value: unknown): value is ItemPart {
  return isObject(value) && typeof value['type'] === 'string'
}

/** Whether a value is content as items have it. */
export function isParts(value: unknown): value is ItemPart[] {
  return Array.isArray(value) && value.every(isPart)
}

/**
 * An item's part in chat form. Images, recordings and files are never text there, so that `countPart` is asked what they
 * cost; one that the chat form does not have, as an image that was uploaded before, is a file.
 */
export function toChatPart(part: ItemPart): ContentPart {
  const { type, text, refusal, image, audio, file } = part
  const field = textFieldOf(part)
  if ((type === 'input_text' || type === 'output_text') && typeof text === 'string') {
    return { type: 'text', text }
  }
  if (type === 'refusal' && typeof refusal === 'string') return { type, refusal }
  if (type === 'input_image' || type === 'image') {
    if (typeof image !== 'string') return { type: 'file', file: toFile(image) }
    return { type: 'image_url', image_url: { url: image, ...field('detail') } } as ContentPart
  }
  if (type === 'audio') {
    if (typeof audio !== 'string') return { type: 'file', file: toFile(audio) }
    return { type: 'input_audio', input_audio: { data: audio, ...field('format') } } as ContentPart
  }
  if (type === 'input_file' || type === 'file') {
    return { type: 'file', file: { ...toFile(file), ...field('filename') } }
  }
  return { type: 'text', text: canonicalJson(part) }
}

/** A part in chat form as an item has it, of a user's or of an assistant's. One that is not in chat form is its JSON. */
export function toItemPart(part: ContentPart, role: 'user' | 'assistant'): ItemPart {
  const { type, text, refusal, image_url: image, input_audio: audio, file } = part as unknown as ItemPart
  if (type === 'refusal' && typeof refusal === 'string') return { type, refusal }
  if (type === 'image_url' && isObject(image)) {
    return role === 'assistant'
      ? { type: 'image', image: image['url'] }
      : { type: 'input_image', image: image['url'], ...textFieldOf(image)('detail') }
  }
  if (type === 'input_audio' && isObject(audio)) {
    return { type: 'audio', audio: audio['data'], ...textFieldOf(audio)('format') }
  }
  if (type === 'file' && isObject(file)) {
    const source = file['file_data'] ?? { id: file['file_id'] }
    return { type: 'input_file', file: source, ...textFieldOf(file)('filename') }
  }
  return {
    type: role === 'assistant' ? 'output_text' : 'input_text',
    text: type === 'text' ? text : canonicalJson(part),
  }
}

function toFile(source: unknown): { file_data?: string; file_id?: string } {
  if (typeof source === 'string') return { file_data: source }
  if (!isObject(source)) return {}
  const { id, fileId = id, url, data = url } = source
  if (typeof fileId === 'string') return { file_id: fileId }
  return typeof data === 'string' ? { file_data: data } : {}
}

/** Gives a field of an object, if it is a text, as an object to spread. */
function textFieldOf(object: JsonObject) {
  return <K extends string>(key: K): { readonly [P in K]?: string } => {
    const value = object[key]
    return typeof value === 'string' ? ({ [key]: value } as { [P in K]: string }) : {}
  }
}
