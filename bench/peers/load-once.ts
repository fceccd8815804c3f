/** A process of its own for `peakMemory`: loads once and prints the most memory that it held, in KiB. */
import { readFileSync } from 'node:fs'
import type { OneLoad } from './peak-memory.ts'
import { PEERS } from './peers.ts'

const load = JSON.parse(process.env['ONE_LOAD']!) as OneLoad | null
if (load !== null) {
  const { Tokenizer, countTokens } = await import('./tokenizer.ts')
  const kind = await PEERS[load.name]()
  const peer = await kind.open({ ...load, tokenizer: new Tokenizer(countTokens) })
  await peer.load(load.conversation, load.limit)
  await peer.close()
}
console.log(peak())

/** Under Linux not `maxRSS`, which begins at what the process held that started this one. */
function peak(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1])
}
