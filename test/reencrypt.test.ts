import { describe, expect, it } from 'vitest'
import { encryption } from '../src/encryption.ts'
import type { Codec, ConversationStore } from '../src/index.ts'
import { masterKey, RESTLESS } from './support/codecs.ts'
import { onEachDatabase, type TestDatabase } from './support/databases.ts'
import { gate, postgresHost, untilWaiting } from './support/hosts.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import { randomFrom } from './support/texts.ts'

const OLD = masterKey(1)
const NEW = masterKey(2)
const BEFORE = encryption({ keys: { old: OLD } })
const DURING = encryption({ keys: { old: OLD, new: NEW }, current: 'new' })
const AFTER = encryption({ keys: { new: NEW } })

/** A user whose conversations hold so many turns each, with metadata, as `codec` encrypts them. */
async function fill(
  store: ConversationStore,
  userId: string,
  lengths: Readonly<Record<string, number>>,
): Promise<void> {
  for (const [conversationId, turns] of Object.entries(lengths)) {
    const conversation = store.conversation({ userId, conversationId })
    for (const turn of oneTo(turns)) {
      const options = { idempotencyKey: `k${turn}`, ...(turn % 2 === 0 && { metadata: { turn } }) }
      await conversation.append(turnOf(`${conversationId} ${turn}`), options)
    }
    await conversation.setMetadata({ title: conversationId })
  }
}

/** How many stored texts of a user begin so: with which key they are encrypted, or that they are not. */
async function textsBy(database: TestDatabase, userId: string): Promise<Record<string, number>> {
  const rows = await runSql(
    database,
    `select messages as stored from backscroll_turns where user_id = '${userId}'
     union all select metadata from backscroll_turns where user_id = '${userId}' and metadata is not null
     union all select metadata from backscroll_conversations where user_id = '${userId}' and metadata is not null`,
  )
  const counts: Record<string, number> = {}
  for (const { stored } of rows) {
    const key = /^"backscroll:1:(\w+):/.exec(String(stored))?.[1] ?? 'clear'
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

async function contentsOf(store: ConversationStore, userId: string, conversationId: string) {
  const turns = await store.conversation({ userId, conversationId }).listTurns({ limit: 1000 })
  return turns.map(({ position, messages, metadata }) => [position, messages[0]?.content, metadata])
}

onEachDatabase('reencrypt', (database) => {
  it('brings all of a user to the current key, once, and nothing of another', async () => {
    const before = await database.open({ codec: BEFORE })
    const lengths = { a: 205, b: 3, c: 0, 'ö 🙂': 1 }
    await fill(before, 'ada', lengths)
    await fill(before, 'bo', { a: 2 })
    const listed = await before.listConversations('ada')
    const contents = await Promise.all(Object.keys(lengths).map((id) => contentsOf(before, 'ada', id)))
    expect(await textsBy(database, 'ada')).toEqual({ old: 209 + 103 + 4 })

    const during = await database.open({ codec: DURING })
    expect(await during.reencrypt('ada')).toEqual({ conversations: 4, turns: 209 })
    expect(await textsBy(database, 'ada')).toEqual({ new: 209 + 103 + 4 })
    expect(await textsBy(database, 'bo')).toEqual({ old: 2 + 1 + 1 })
    expect(await during.reencrypt('ada')).toEqual({ conversations: 0, turns: 0 })

    const after = await database.open({ codec: AFTER })
    expect(await Promise.all(Object.keys(lengths).map((id) => contentsOf(after, 'ada', id)))).toEqual(
      contents,
    )
    // Nothing was said anew: neither order nor times moved.
    expect(await after.listConversations('ada')).toEqual(listed)
    await expectConsistent(database, { userId: 'ada', conversationId: 'a' })
    await expect(contentsOf(after, 'bo', 'a')).rejects.toMatchObject({ code: 'MISSING_KEY' })
  })

  it('leaves a text that is current as it is, byte for byte', async () => {
    await fill(await database.open({ codec: BEFORE }), 'mixed', { a: 2 })
    const during = await database.open({ codec: DURING })
    await during.conversation({ userId: 'mixed', conversationId: 'a' }).append(turnOf('new'))
    const newest = () =>
      runSql(database, `select messages from backscroll_turns where user_id = 'mixed' and position = 3`)
    const stored = await newest()
    expect(await during.reencrypt('mixed')).toEqual({ conversations: 1, turns: 2 })
    expect(await newest()).toEqual(stored)
  })

  it('encrypts what was stored before there was a codec, where it accepts that', async () => {
    const clear = await database.open()
    await fill(clear, 'early', { a: 4 })
    const contents = await contentsOf(clear, 'early', 'a')
    const strict = await database.open({ codec: AFTER })
    await expect(strict.reencrypt('early')).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
    expect(await textsBy(database, 'early')).toEqual({ clear: 4 + 2 + 1 })
    const codec = encryption({ keys: { new: NEW }, acceptPlaintext: true })
    expect(await (await database.open({ codec })).reencrypt('early')).toEqual({ conversations: 1, turns: 4 })
    expect(await textsBy(database, 'early')).toEqual({ new: 4 + 2 + 1 })
    expect(await contentsOf(strict, 'early', 'a')).toEqual(contents)
  })

  it('goes on where it was broken off, and every text can be read in between', async () => {
    const before = await database.open({ codec: BEFORE })
    await fill(before, 'broken', { a: 130, b: 130 })
    const controller = new AbortController()
    let looked = 0
    const breaking: Codec = {
      forUser: async (userId) => {
        const codec = await DURING.forUser(userId)
        return {
          encode: (text, place) => codec.encode(text, place),
          decode: (encoded, place) => codec.decode(encoded, place),
          isCurrent: (encoded) => {
            if (++looked === 260) controller.abort('stopped')
            return codec.isCurrent(encoded)
          },
        }
      },
    }
    const { signal } = controller
    const store = await database.open({ codec: breaking })
    await expect(store.reencrypt('broken', { signal })).rejects.toBe('stopped')
    const between = await textsBy(database, 'broken')
    expect(between['old']).toBeGreaterThan(100)
    expect(between['new']).toBeGreaterThan(100)
    const during = await database.open({ codec: DURING })
    for (const id of ['a', 'b']) expect(await contentsOf(during, 'broken', id)).toHaveLength(130)
    const { turns } = await during.reencrypt('broken')
    expect(turns).toBeLessThan(260)
    expect(await textsBy(database, 'broken')).toEqual({ new: 260 + 130 + 2 })
    const after = await database.open({ codec: AFTER })
    for (const id of ['a', 'b']) {
      const positions = (await contentsOf(after, 'broken', id)).map(([position]) => position)
      expect(positions).toEqual(oneTo(130))
    }
  })

  it('may run twice at once: each turn is rewritten by one of the two', async () => {
    await fill(await database.open({ codec: BEFORE }), 'twice', { a: 150, b: 20 })
    const stores = [await database.open({ codec: DURING }), await database.open({ codec: DURING })]
    const results = await Promise.all(stores.map((store) => store.reencrypt('twice')))
    expect(results.reduce((sum, { turns }) => sum + turns, 0)).toBe(170)
    expect(results.reduce((sum, { conversations }) => sum + conversations, 0)).toBe(2)
    expect(await textsBy(database, 'twice')).toEqual({ new: 170 + 85 + 2 })
    expect(await contentsOf(await database.open({ codec: AFTER }), 'twice', 'a')).toHaveLength(150)
  })

  it('loses and doubles nothing while others append, rewind, recount and give titles', async () => {
    const before = await database.open({ codec: BEFORE })
    const ids = ['a', 'b', 'c', 'd']
    await fill(before, 'busy', Object.fromEntries(ids.map((id) => [id, 60])))
    const during = await database.open({ codec: DURING })
    const random = randomFrom(4711)
    const expected = new Map(ids.map((id) => [id, new Set(oneTo(60).map((turn) => `${id} ${turn}`))]))
    const write = async (id: string) => {
      const conversation = during.conversation({ userId: 'busy', conversationId: id })
      const said = expected.get(id)!
      for (const turn of oneTo(25)) {
        const { position } = await conversation.append(turnOf(`${id} later ${turn}`), {
          idempotencyKey: `l${turn}`,
        })
        said.add(`${id} later ${turn}`)
        if (random.below(8) === 0) {
          await conversation.rewind({ to: position - 1 })
          said.delete(`${id} later ${turn}`)
        }
        if (random.below(8) === 0) await conversation.setMetadata({ title: `${id} ${turn}` })
      }
      await conversation.setMetadata({ title: `${id} at last` })
    }
    const recounting = during.conversation({ userId: 'busy', conversationId: 'a' }).recount()
    const [one, other] = await Promise.all([
      during.reencrypt('busy'),
      during.reencrypt('busy'),
      ...ids.map(write),
      recounting,
    ])
    expect(one.turns + other.turns).toBe(240)
    // What others wrote meanwhile, they wrote under the current key: there is nothing left to do.
    expect(await during.reencrypt('busy')).toEqual({ conversations: 0, turns: 0 })
    expect(Object.keys(await textsBy(database, 'busy'))).toEqual(['new'])
    const after = await database.open({ codec: AFTER })
    for (const id of ids) {
      const contents = (await contentsOf(after, 'busy', id)).map(([, content]) => content)
      expect(contents).toHaveLength(expected.get(id)!.size)
      expect(new Set(contents)).toEqual(expected.get(id))
      await expectConsistent(database, { userId: 'busy', conversationId: id })
    }
    const titles = (await after.listConversations('busy')).map(({ metadata }) => metadata?.['title'])
    expect(titles.toSorted()).toEqual(ids.map((id) => `${id} at last`))
  })

  it('brings nothing back of a user who is forgotten meanwhile', async () => {
    const before = await database.open({ codec: BEFORE })
    const during = await database.open({ codec: DURING })
    for (const round of oneTo(5)) {
      const userId = `gone-${round}`
      await fill(before, userId, { a: 40, b: 40 })
      const [{ turns }, forgotten] = await Promise.all([during.reencrypt(userId), during.forgetUser(userId)])
      expect(turns).toBeLessThanOrEqual(80)
      expect(forgotten).toEqual({ conversations: 2, turns: 80 })
      expect(await textsBy(database, userId)).toEqual({})
    }
  })

  it('writes turns of any size, in more than one statement where they are long', async () => {
    const before = await database.open({ codec: BEFORE })
    const conversation = before.conversation({ userId: 'long', conversationId: 'a' })
    const texts = oneTo(5).map((turn) => `${turn} `.repeat(400_000))
    for (const text of texts) await conversation.append([{ role: 'user', content: text }])
    expect(await (await database.open({ codec: DURING })).reencrypt('long')).toEqual({
      conversations: 0,
      turns: 5,
    })
    const after = await database.open({ codec: AFTER })
    const contents = (await contentsOf(after, 'long', 'a')).map(([, content]) => content)
    expect(contents).toEqual(texts)
  })

  it('stops at a text that was changed, and does not make it look right', async () => {
    const before = await database.open({ codec: BEFORE })
    for (const userId of ['forged', 'other']) await fill(before, userId, { a: 3 })
    await runSql(
      database,
      `update backscroll_turns set messages = (
         select messages from backscroll_turns where user_id = 'other' and position = 1
       ) where user_id = 'forged' and position = 2`,
    )
    const during = await database.open({ codec: DURING })
    await expect(during.reencrypt('forged')).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
  })
})

describe('reencrypt on postgres', () => {
  it('waits its turn at the conversation, as every write does, so that no two wait for each other', async () => {
    await using host = await postgresHost({ codec: RESTLESS })
    await host.store.migrate()
    await fill(host.store, 'ada', { a: 30 })
    // A title would be what it waits at.
    await host.store.conversation({ userId: 'ada', conversationId: 'a' }).setMetadata(null)
    const appended = gate()
    const release = gate()
    const holding = host.db.transaction(async (tx) => {
      const conversation = host.store.withTransaction(tx).conversation({ userId: 'ada', conversationId: 'a' })
      await conversation.append(turnOf('later'))
      appended.open()
      await release.opened
      await conversation.rewind({ to: 20 })
    })
    await appended.opened
    const reencrypting = [host.store.reencrypt('ada'), host.store.reencrypt('ada')]
    await untilWaiting(host, 2)
    release.open()
    await holding
    for (const { turns } of await Promise.all(reencrypting)) expect(turns).toBeLessThanOrEqual(20)
    expect(await contentsOf(host.store, 'ada', 'a')).toHaveLength(20)
    await expectConsistent(host, { userId: 'ada', conversationId: 'a' })
  })
})
