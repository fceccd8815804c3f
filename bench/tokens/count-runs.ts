/** Counts the runs that it is sent, with one library and encoding, and answers each: a process that may hang or crash. */
import type { EncodingName } from '../../src/tokens/encodings.ts'
import { spread } from '../harness/measure.ts'
import { LIBRARIES, type Library } from './libraries.ts'
import { charactersOf, runOf } from './runs.ts'
import type { CountedRun, RunToCount } from './unbroken.ts'

/** A size is counted again and again for so long, in milliseconds: what is quick is then not measured by its first call. */
const FOR_MS = 100
const ROUNDS = 25

const [library, encoding] = process.argv.slice(2) as [Library, EncodingName]
const count = await LIBRARIES[library](encoding)
process.on('message', ({ run, bytes }: RunToCount) => {
  const characters = charactersOf(run, bytes)
  const times: number[] = []
  let tokens = 0
  const start = performance.now()
  do {
    // Each a letter shorter than the one before: gpt-tokenizer keeps what it has merged.
    const text = runOf(run, characters - 2 * times.length)
    const begun = performance.now()
    const counted = count(text)
    if (times.length === 0) tokens = counted
    times.push(performance.now() - begun)
  } while (times.length < ROUNDS && performance.now() - start < FOR_MS)
  process.send!({ ms: spread(times).median, tokens } satisfies CountedRun)
})
process.send!('ready')
