import type { CountingRule } from '../dialect/dialect.ts'
import { CorruptDataError } from '../errors.ts'
import type { Counting } from '../tokens/count.ts'
import { checkEncoding, type EncodingName } from '../tokens/encodings.ts'
import { framingName, framingNamed, type Framing } from '../tokens/framing.ts'

/** How a conversation's turns were counted. */
export interface CountedAs {
  readonly encoding: EncodingName
  readonly framing: Framing
}

/** A counting rule as it is recorded in the conversation's row. */
export function ruleName({ encoding, framing }: CountedAs): CountingRule {
  return { encoding, framing: framingName(framing) }
}

/** A recorded rule, read back. @throws {CorruptDataError} for one that backscroll did not write. */
export function ruleNamed({ encoding, framing }: CountingRule): CountedAs {
  try {
    return { encoding: checkEncoding(encoding), framing: framingNamed(framing) }
  } catch {
    throw new CorruptDataError('The recorded encoding or framing is unknown: something else changed it.')
  }
}

/** Whether counts that were recorded under a rule are the ones that this way of counting gives. */
export function sameRule(recorded: CountingRule, counting: Counting): boolean {
  const { encoding, framing } = ruleName(counting)
  return recorded.encoding === encoding && recorded.framing === framing
}
