export { CHECKS, checkStore } from './conformance/checks.ts'
export { ConformanceError } from './conformance/failure.ts'

export type { Check, CheckOptions } from './conformance/check.ts'
