import type { Message } from '../../src/index.ts'
import { variedTurns } from '../harness/turns.ts'
import { fillPeer, waitForDisk } from './fill-peers.ts'
import type { Findings } from './findings.ts'
import { exactTokens, judge } from './judge.ts'
import { measureChats, takeStep, type ChatRounds } from './measure-chats.ts'
import { openPeers, type Site } from './open-peers.ts'
import { peakMemory } from './peak-memory.ts'
import type { PeerMessage, PeerTurn, Reach } from './peer.ts'
import { PEER_NAMES, type Kinds, type PeerName } from './peers.ts'
import { countTokens, estimateTokens } from './tokenizer.ts'

/** How much is compared. */
export interface Plan {
  /** Turns of the conversations. */
  readonly sizes: readonly number[]
  /** Tokens. A limit that a whole conversation fits is left out. */
  readonly limits: readonly number[]
  readonly rounds: ChatRounds
  /** The peers whose memory is measured, each in a process of its own. */
  readonly memoryOf: readonly PeerName[]
}

/** Compares the peers: on conversations of each length, under each limit. */
export async function compare(kinds: Kinds, site: Site, plan: Plan, findings: Findings): Promise<void> {
  const pool = await questionsAndAnswers()
  findings.addMemory('(an empty script)', 0, await peakMemory(null))
  for (const size of plan.sizes) {
    const turns = Array.from({ length: size }, (_, at) => pool[at % pool.length]!)
    const tokens = exactTokens(turns.flat())
    const limits = plan.limits.filter((limit) => limit < tokens)
    const part = { ...plan, kinds, site, conversation: `of-${size}`, turns, limits, findings }
    console.log(
      `\nConversations of ${size.toLocaleString('en-US')} turns, ${tokens.toLocaleString('en-US')} tokens.`,
    )
    await fillAll(part)
    await judgeAndMeasure(part)
    await estimateWork(part)
    await measureMemory(part)
  }
}

/** The comparison on conversations of one length. */
interface Part extends Omit<Plan, 'sizes'> {
  readonly kinds: Kinds
  readonly site: Site
  readonly conversation: string
  readonly turns: readonly PeerTurn[]
  readonly findings: Findings
}

/** The turns of a question and an answer: one in eight holds a tool call, which not every peer can store. */
async function questionsAndAnswers(): Promise<PeerTurn[]> {
  const turns = await variedTurns()
  return turns.flatMap(({ messages: [question, answer, ...more] }) =>
    more.length === 0 ? [[textOf(question!), textOf(answer!)] as const] : [],
  )
}

/** Without blanks at its ends, which Mastra does not keep. */
function textOf({ role, content }: Message): PeerMessage {
  return { role: role === 'user' ? 'user' : 'assistant', content: String(content).trim() }
}

function reaching(part: Part, ...whats: (keyof Reach)[]): PeerName[] {
  return PEER_NAMES.filter((name) => whats.some((what) => part.kinds[name].reach[what] >= part.turns.length))
}

async function fillAll(part: Part): Promise<void> {
  const { kinds, site, conversation, turns, findings } = part
  await waitForDisk(site.postgresUrl, false)
  await using opened = await openPeers(kinds, reaching(part, 'load', 'estimate'), site, estimateTokens)
  for (const { kind, peer } of opened.peers) {
    findings.addBytes(kind, turns.length, await fillPeer(peer, conversation, turns))
  }
  await waitForDisk(site.postgresUrl, true)
}

async function judgeAndMeasure(part: Part): Promise<void> {
  const { kinds, site, conversation, turns, limits, rounds, findings } = part
  await using opened = await openPeers(kinds, reaching(part, 'load'), site, countTokens)
  for (const limit of limits) {
    for (const { kind, peer } of opened.peers) {
      if (kind.sameAs === undefined)
        findings.addVerdict(kind, turns.length, limit, await judge(peer, conversation, limit, turns))
    }
  }
  for (const limit of limits) {
    // One that is slower than another and the same else shows it once: each of its steps takes half a minute.
    const peers = opened.peers.filter(({ kind }) => kind.sameAs === undefined || limit === limits[0])
    const subjects = peers.map(({ name, kind, ...subject }) => {
      return [name, { ...subject, canChat: kind.reach.chat >= turns.length }] as const
    })
    const chats = { conversation, limit, turns }
    findings.addSteps(turns.length, limit, await measureChats(Object.fromEntries(subjects), chats, rounds))
  }
}

/** What a step under the smallest limit would count, of the peers that would count for minutes: by a quick counter. */
async function estimateWork(part: Part): Promise<void> {
  const { kinds, site, conversation, turns, limits, findings } = part
  const names = reaching(part, 'estimate').filter((name) => kinds[name].reach.chat < turns.length)
  await using opened = await openPeers(kinds, names, site, estimateTokens)
  const limit = limits[0]!
  for (const { kind, ...subject } of opened.peers) {
    const step = await takeStep({ ...subject, canChat: true }, { conversation, limit, turns }, 0)
    findings.addWork(kind, turns.length, limit, [step])
  }
}

async function measureMemory(part: Part): Promise<void> {
  const { kinds, site, conversation, turns, limits, memoryOf, findings } = part
  const limit = limits[0]!
  const names = reaching(part, 'load').filter(
    (name) => memoryOf.includes(name) && kinds[name].sameAs === undefined,
  )
  for (const name of names) {
    findings.addMemory(
      kinds[name].name,
      turns.length,
      await peakMemory({ name, ...site, conversation, limit }),
    )
  }
}
