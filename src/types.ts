/** A piece of text in a message's content. */
export interface TextPart {
  type: 'text'
  text: string
}

/** A model's refusal in an assistant's content. It renders and counts as text. */
export interface RefusalPart {
  type: 'refusal'
  refusal: string
}

/** An image in a user's content. It renders as `[image]`. */
export interface ImagePart {
  type: 'image_url'
  image_url: { url: string; detail?: 'auto' | 'low' | 'high' }
}

/** A recording in a user's content. It renders as `[audio]`. */
export interface AudioPart {
  type: 'input_audio'
  input_audio: { data: string; format: 'wav' | 'mp3' }
}

/** A file in a user's content. It renders as `[file]`. */
export interface FilePart {
  type: 'file'
  file: { file_data?: string; file_id?: string; filename?: string }
}

/** A part of what a person sends, in OpenAI chat form. */
export type UserPart = TextPart | ImagePart | AudioPart | FilePart

/** A part of a message's content, in OpenAI chat form. */
export type ContentPart = UserPart | RefusalPart

/** A call that an assistant makes, in OpenAI chat form. */
export type ToolCall =
  | { id: string; type: 'function'; function: { name: string; arguments: string } }
  | { id: string; type: 'custom'; custom: { name: string; input: string } }

/** What the host tells the model. Newer models call the role `developer`. */
export interface SystemMessage {
  role: 'system' | 'developer'
  content: string | TextPart[]
  name?: string
}

/** What a person said. */
export interface UserMessage {
  role: 'user'
  content: string | UserPart[]
  name?: string
}

/** What the model answered: text, a refusal, calls of tools, or several of these. */
export interface AssistantMessage {
  role: 'assistant'
  content?: string | (TextPart | RefusalPart)[] | null
  refusal?: string | null
  name?: string
  tool_calls?: ToolCall[]
}

/** What a tool gave back for a call. */
export interface ToolMessage {
  role: 'tool'
  content: string | TextPart[]
  tool_call_id: string
}

/**
 * One entry of a conversation, in OpenAI chat form, so that what is loaded can be sent as it is; what an adapter stored, by
 * `toPlainMessage`. Fields that are not named here are kept as well, as long as JSON can hold them.
 */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** Who speaks in a message. */
export type Role = Message['role']

/** Whatever the host wants to keep beside a turn or a conversation: an object that JSON can hold. */
export type Metadata = Readonly<Record<string, unknown>>

/** A turn as it is kept: one user input and everything that answered it. */
export interface StoredTurn {
  /** Its place in the conversation: from 1, rising, never reused. There are gaps where turns were dropped. */
  readonly position: number
  /** Tokens that it adds when another turn follows, framing included. Counted once, when it was appended. */
  readonly tokenCount: number
  /** The running total of token counts up to and including this turn. */
  readonly cumulativeTokens: number
  readonly messages: Message[]
  /** When it was stored, by the clock of the database (Postgres) or of the process (SQLite). Order is `position`, never this. */
  readonly createdAt: Date
  readonly metadata: Metadata | null
  /** True when the idempotency key had been used before, and this is the turn that was stored then. */
  readonly replayed: boolean
}

/** The newest whole turns that fit a limit, and what was left out. */
export interface Window {
  /** Oldest first. */
  readonly turns: StoredTurn[]
  /** The messages of the turns, in order. */
  readonly messages: Message[]
  /** Tokens of the window as rendered: the newest turn counted as standing last. Never above the limit. */
  readonly tokenCount: number
  /** Older turns that are stored but not in the window. */
  readonly omittedTurns: number
  /** The sum of their token counts. */
  readonly omittedTokens: number
}

/** One line of a user's list of conversations. */
export interface ConversationSummary {
  readonly conversationId: string
  readonly turnCount: number
  /** The sum of its turns' token counts, under the encoding and framing that it was last written with. */
  readonly tokenCount: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly metadata: Metadata | null
  /** Give it as `before` to continue the list after this line. */
  readonly cursor: string
}
