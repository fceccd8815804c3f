import { once } from 'node:events'

/** The arguments that this program was started with. */
export function options<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

/** Prints a value as a line of JSON. */
export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** Says that this program is ready, and waits until the test lets it go. */
export async function ready(): Promise<void> {
  print('ready')
  await once(process.stdin, 'data')
  process.stdin.destroy()
}
