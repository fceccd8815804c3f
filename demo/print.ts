import { arch, availableParallelism, cpus, platform } from 'node:os'

export function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`
}

/** What stands beside a figure: the machine, the version and the day. */
export function machine(): string {
  const cpu = cpus()[0]?.model.trim() || 'unknown processor'
  const day = new Date().toISOString().slice(0, 10)
  return `${cpu}, ${availableParallelism()} cores, ${platform()} ${arch()}, Node ${process.version}, ${day}`
}
