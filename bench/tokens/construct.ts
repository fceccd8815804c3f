/** Loads one library with one encoding, and prints what it took: a process of its own, since others' heaps would blur it. */
import { setImmediate } from 'node:timers/promises'
import type { EncodingName } from '../../src/tokens/encodings.ts'
import { watchLateness } from '../harness/lateness.ts'
import type { Construction } from './construction.ts'
import { LIBRARIES, type Library } from './libraries.ts'

const [library, encoding] = process.argv.slice(2) as [Library, EncodingName]

function used() {
  globalThis.gc!()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { heap: heapUsed + arrayBuffers, rss }
}

const before = used()
const lateness = watchLateness()
const start = performance.now()
if (library === 'backscroll') await import(`js-tiktoken/ranks/${encoding}`)
const ranksMs = performance.now() - start
const count = await LIBRARIES[library](encoding)
const ms = performance.now() - start
await setImmediate()
const lateMs = lateness.latest()
lateness.stop()
const after = used()
count('It is used here, so that it lives until the memory is read.')
const found: Construction = {
  ms,
  lateMs,
  ranksMs,
  heap: after.heap - before.heap,
  rss: after.rss - before.rss,
}
console.log(JSON.stringify(found))
