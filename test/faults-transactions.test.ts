import { describe, expect, it } from 'vitest'
import type { HostOptions, HostTransaction } from './support/faults/host-transaction.ts'
import { CUTS } from './support/faults/places.ts'
import { postgresHost } from './support/hosts.ts'
import { expectConsistent } from './support/inspect.ts'
import { start } from './support/processes/start.ts'

describe("a connection that is cut in a host's transaction", () => {
  it('rejects it at every message, with the turn and the note stored both or neither', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await host.client`create table notes (id text primary key)`
    const options: HostOptions = { url: host.url, cuts: CUTS }
    const program = start('../faults/host-transaction', options)
    const transactions = (await program.rest()) as HostTransaction[]
    expect(await program.ended()).toBe(0)

    let stored = 0
    let uncaught = 0
    for (const { id, code, uncaught: errors } of transactions) {
      const notes = await host.client`select id from notes where id = ${id}`
      const turns = await expectConsistent(host, { userId: id, conversationId: 'c' })
      expect(turns).toHaveLength(notes.length)
      if (code === 'ok') expect(notes).toHaveLength(1)
      // Postgres.js 3.4.9 writes its rollback to a connection that is gone. Nothing of ours may end a process.
      for (const error of errors) expect(error).toMatch(/^TypeError: .*reading 'write'/)
      if (code !== 'ok') stored += notes.length
      uncaught += errors.length
    }
    const cut = transactions.filter(({ code }) => code !== 'ok')
    expect(transactions.length - cut.length).toBe(CUTS.length)
    expect(cut.length).toBeGreaterThan(60)
    // Those whose reply to the commit was lost.
    expect(stored).toBeGreaterThan(0)
    console.log(
      `host transactions: ${cut.length} cut, ${stored} of them committed, ${uncaught} that postgres.js would have ended the process for`,
    )
  })
})
