/** A time of ChatGPT's export, in seconds since 1970, as ISO text; undefined for what is none. */
export function isoTime(seconds: unknown): string | undefined {
  if (typeof seconds !== 'number') return undefined
  const time = new Date(seconds * 1000)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}
