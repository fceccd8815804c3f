#!/usr/bin/env node
import { stopWithReader } from './print.ts'
import { run } from './run.ts'

const controller = new AbortController()
// Once: the second Ctrl-C ends the process at once, as it does by itself.
process.once('SIGINT', () => controller.abort())
stopWithReader()
process.exitCode = await run(process.argv.slice(2), {
  input: process.stdin,
  output: process.stdout,
  errors: process.stderr,
  environment: process.env,
  signal: controller.signal,
})
