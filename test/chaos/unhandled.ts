/** Errors that nobody handled in this process, from now on until it is disposed of. */
export interface Unhandled extends Disposable {
  readonly errors: readonly unknown[]
}

/** Watches for them. Meanwhile an uncaught exception does not end the process, unless somebody else has it so. */
export function watchUnhandled(): Unhandled {
  const errors: unknown[] = []
  const note = (error: unknown) => void errors.push(error)
  process.on('unhandledRejection', note)
  process.on('uncaughtException', note)
  return {
    errors,
    [Symbol.dispose]() {
      process.off('unhandledRejection', note)
      process.off('uncaughtException', note)
    },
  }
}
