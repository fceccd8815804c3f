/**
 * Token counting: construction, throughput and unbroken runs, against js-tiktoken. Run: `npx tsx bench/tokens.ts`.
 *
 * Throughput is the best of several rounds in which the two take turns, so the ratio holds on a busy machine; the MB/s do not.
 */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tiktoken } from 'js-tiktoken/lite'
import type { TiktokenBPE } from 'js-tiktoken/lite'
import { loadEncoder } from '../src/tokens/encoder.ts'
import type { EncodingName } from '../src/tokens/encodings.ts'
import { atOnce, inSlices } from '../src/tokens/steps.ts'

const BENCHED: readonly EncodingName[] = ['cl100k_base', 'o200k_base']
const ROUNDS = 12
const RUN_BYTES = 1_000_000

const require = createRequire(import.meta.url)
const ranksOf = (encoding: EncodingName) => require(`js-tiktoken/ranks/${encoding}`) as TiktokenBPE

/** Words drawn by a fixed generator, the early ones more often: texts of a few KB in which pieces repeat as they do in prose. */
function prose(words: readonly string[], joint: string, end: string, length: number): string {
  let seed = 42
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32
  let text = ''
  for (let i = 1; text.length < length; i++) {
    text += words[Math.floor(random() ** 2 * words.length)]! + (i % 11 === 0 ? end : joint)
  }
  return text
}

const ENGLISH = `the of and to in is that for it was with as his on be at by I this had not are but from or have an they which you
  conversation memory window tokens whole newest database documentation someone's retrieves yesterday approximately London 2026
  don't couldn't platform learning language decentralized productive beautiful unnecessarily infrastructure Kubernetes`
const CHINESE = `的 一 是 我们 在 有 他 这 中 大 来 上 国 个 到 说 时候 要 就 出 会议 讨论 关于 新产品 市场 推广 计划 决定 下个月 开始 实施
  认为 机会 数据库 对话 记忆 窗口 语言 模型 天气 北京 上海 因为 所以 但是 如果 可以 非常 文档 学习 平台`
const CODE = `const readonly => return await { } ( ) ; === undefined import export function position index userId "text" // for let x += 1
  [i] this.#count(text) SELECT sum(token_count) over (order by id) if(!value) throw new Error('none')`
const EMOJI = '😀 👍 🎉 👩‍👩‍👧 🇩🇪 ❤️ 🚀 🤷🏽‍♂️ ✅ 🔥'

const TEXTS = {
  English: prose(ENGLISH.split(/\s+/), ' ', '.\n', 4000),
  code: prose(CODE.split(/\s+/), ' ', '\n    ', 4000),
  Chinese: prose(CHINESE.split(/\s+/), '', '，', 1500),
  emoji: prose(EMOJI.split(' '), '', ' ', 1000),
}

const RUNS = { a: 'a', CJK: '中', space: ' ', newline: '\n', dash: '-', emoji: '😀' }

/** Time and memory to construct, in a process of its own: the caller's heap would blur it. */
function construct(encoding: EncodingName, which: 'backscroll' | 'js-tiktoken'): string {
  const script = fileURLToPath(import.meta.url)
  return execFileSync(process.execPath, ['--expose-gc', ...process.execArgv, script, which, encoding], {
    encoding: 'utf8',
  }).trim()
}

/** What the child process prints: milliseconds, and MB that stay (heap and array buffers, the ranks module included). */
async function constructHere(which: string, encoding: EncodingName): Promise<void> {
  const used = () => {
    globalThis.gc!()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return (heapUsed + arrayBuffers) / 1e6
  }
  const before = used()
  const start = performance.now()
  const encoder = which === 'backscroll' ? await loadEncoder(encoding) : new Tiktoken(ranksOf(encoding))
  const took = performance.now() - start
  const kept = used() - before
  if (encoder) console.log(`${took.toFixed(0)} ms, ${kept.toFixed(1)} MB kept`) // named here, so that it lives until the memory is read
}

async function throughput(encoding: EncodingName): Promise<void> {
  const encoder = await loadEncoder(encoding)
  const oracle = new Tiktoken(ranksOf(encoding))
  for (const [name, text] of Object.entries(TEXTS)) {
    const tokens = oracle.encode(text, [], []).length
    if (atOnce(encoder.count(text)) !== tokens)
      throw new Error(`The counts of ${name} differ in ${encoding}.`)
    let ours = Infinity
    let theirs = Infinity
    for (let round = 0; round < ROUNDS; round++) {
      theirs = Math.min(
        theirs,
        time(() => oracle.encode(text, [], [])),
      )
      for (let i = 0; i < 10; i++)
        ours = Math.min(
          ours,
          time(() => atOnce(encoder.count(text))),
        )
    }
    const speed = (ms: number) => (Buffer.byteLength(text) / 1e3 / ms).toFixed(2).padStart(7)
    console.log(
      `  ${name.padEnd(8)} ${speed(ours)} MB/s, js-tiktoken ${speed(theirs)} MB/s, ratio ${(theirs / ours).toFixed(1)}`,
    )
  }
}

function time(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

/** One unbroken run: how long it takes, and the longest that a 1 ms timer had to wait for its turn meanwhile. */
async function unbrokenRun(encoding: EncodingName, name: string, text: string): Promise<void> {
  const encoder = await loadEncoder(encoding)
  await sleep(50)
  let last = performance.now()
  let latest = 0
  const tick = () => {
    const now = performance.now()
    latest = Math.max(latest, now - last - 1)
    last = now
  }
  const timer = setInterval(tick, 1)
  const start = performance.now()
  const tokens = await inSlices(encoder.count(text))
  const took = performance.now() - start
  await sleep(5)
  clearInterval(timer)
  console.log(
    `  ${name.padEnd(16)} ${took.toFixed(0).padStart(5)} ms, event loop late by ${latest.toFixed(0).padStart(3)} ms at most, ${tokens} tokens`,
  )
}

async function main(): Promise<void> {
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}, js-tiktoken 1.0.21, ${new Date().toISOString()}`,
  )
  for (const encoding of BENCHED) {
    console.log(`\n${encoding}: construction`)
    for (const which of ['backscroll', 'js-tiktoken'] as const)
      console.log(`  ${which.padEnd(12)} ${construct(encoding, which)}`)
    console.log(`${encoding}: throughput`)
    await throughput(encoding)
    console.log(`${encoding}: unbroken runs, 1 MB of UTF-8, and 1 million CJK characters`)
    for (const [name, letter] of Object.entries(RUNS)) {
      await unbrokenRun(encoding, name, letter.repeat(Math.ceil(RUN_BYTES / Buffer.byteLength(letter))))
    }
    await unbrokenRun(encoding, 'CJK, 1 million', '中'.repeat(1_000_000))
  }
}

const [which, encoding] = process.argv.slice(2)
await (which === undefined ? main() : constructHere(which, encoding as EncodingName))
