export { keepUnder } from './ai-sdk/keep-under.ts'
export { loadModelMessages, loadUIMessages } from './ai-sdk/load.ts'
export { saveModelMessages } from './ai-sdk/save.ts'
export { saveUIMessages } from './ai-sdk/save-ui.ts'

export type { Instructions, KeepStepUnder, KeepUnderOptions, Step } from './ai-sdk/keep-under.ts'
export type { LoadMessagesOptions, LoadModelMessagesOptions } from './ai-sdk/load.ts'
