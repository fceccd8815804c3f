/** The error of the driver itself: drizzle wraps it in one of its own. */
export function driverError(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error
}
