// The texts that the library's own conformance suite is run with.
export { randomFrom, type Random } from '../../src/conformance/random.ts'
export { HOSTILE, hostileText, hostileTurn } from '../../src/conformance/turns.ts'
