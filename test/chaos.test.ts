import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SCENARIOS } from './chaos/scenarios.ts'
import { startPostgres, type PostgresServer } from './support/postgres-server.ts'

/** Of its own: it is stopped and crashed. */
let server: PostgresServer
beforeAll(async () => void (server = await startPostgres()))
afterAll(() => server.stop())

describe('under faults, every acknowledged turn is there once, in its place, and no call hangs', () => {
  for (const scenario of SCENARIOS.filter(({ isDemonstration }) => !isDemonstration)) {
    it(scenario.fault, async () => {
      const outcome = await scenario.run({ server, size: 'short', seed: 1 })
      expect(outcome).toMatchObject({ lost: 0, doubled: 0, gaps: 0 })
      expect(outcome.acknowledged).toBeGreaterThan(0)
      expect(outcome.faults).toBeGreaterThan(0)
    })
  }
})
