import { onTestFinished } from 'vitest'
import { run, type Program as Running } from './program.ts'

/** A program of this folder that runs in a process of its own, killed when the test ends. */
export interface Program extends Running {
  /** Lets a program go on that waits for its start, so that several begin at the same moment. */
  go(): void
  /** Its exit code, or the signal that ended it. Fails the test when it printed an error. */
  ended(): Promise<number | NodeJS.Signals | null>
}

/** Starts `NAME.ts` with its arguments as JSON. It prints JSON, a line a value. */
export function start(name: string, options: object): Program {
  const program = run(name, options)
  onTestFinished(() => void program.process.kill('SIGKILL'))
  return Object.assign(program, {
    go: () => void program.process.stdin?.write('go\n'),
    async ended() {
      const end = await program.exit
      if (program.errors !== '') throw new Error(`${name} printed an error:\n${program.errors}`)
      return end
    },
  })
}

/** Starts a program several times; when all are ready, lets them go at the same moment. */
export async function startTogether(name: string, options: readonly object[]): Promise<Program[]> {
  const programs = options.map((each) => start(name, each))
  await Promise.all(programs.map((program) => program.next()))
  for (const program of programs) program.go()
  return programs
}
