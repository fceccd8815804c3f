import * as sdk from 'ai-6'
import { MockLanguageModelV3 } from 'ai-6/test'
import { vi } from 'vitest'
import { testLongRuns } from './ai-sdk/long-runs.ts'
import type { Major } from './ai-sdk/major.ts'
import { testRuns } from './ai-sdk/runs.ts'

// A project has one major, under the name `ai`.
vi.mock('ai', () => import('ai-6'))

const AI_6 = { version: 6, sdk, Mock: MockLanguageModelV3 } as unknown as Major

testRuns(AI_6)
testLongRuns(AI_6)
