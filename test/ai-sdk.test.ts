import * as sdk from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { testLongRuns } from './ai-sdk/long-runs.ts'
import type { Major } from './ai-sdk/major.ts'
import { testRuns } from './ai-sdk/runs.ts'

const AI_7: Major = { version: 7, sdk, Mock: MockLanguageModelV4 }

testRuns(AI_7)
testLongRuns(AI_7)
