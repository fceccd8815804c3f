import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BackscrollError, type Codec } from '../index.ts'
import { reduceCause } from '../redact.ts'
import { CommandError, EXIT, type Surroundings } from './command.ts'

/**
 * The codec of the module that `--codec` names, else the environment's BACKSCROLL_CODEC; none where neither does. It is
 * the module by which the app opens its store, so that keys and secrets are found in one way.
 *
 * @throws {CommandError} when the module cannot be loaded, or exports no codec.
 */
export async function codecOf(
  option: string | undefined,
  { environment }: Surroundings,
): Promise<Codec | undefined> {
  const path = option ?? (environment['BACKSCROLL_CODEC'] || undefined)
  if (path === undefined) return undefined
  const { codec } = await load(path)
  if (typeof (codec as Partial<Codec> | undefined)?.forUser === 'function') return codec as Codec
  throw new CommandError(
    EXIT.failed,
    "The module of --codec exports no `codec`, such as `encryption({ … })` of 'backscroll/encryption'.",
  )
}

/** What the module throws may hold a key: unless it is an error of backscroll's, only its name and code are told. */
async function load(path: string): Promise<{ readonly codec?: unknown }> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as { readonly codec?: unknown }
  } catch (error) {
    if (error instanceof BackscrollError)
      throw new CommandError(EXIT.failed, `In the module of --codec: ${error.message}`)
    const { name, code } = reduceCause(error)
    throw new CommandError(EXIT.failed, `The module of --codec cannot be loaded (${code ?? name}).`)
  }
}
