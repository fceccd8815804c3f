/**
 * A request that cannot be answered, for a reason that the client can do something about. It is sent in OpenAI's form.
 * The message never repeats what was sent.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  /** The status of the response, 400 and above. */
  readonly status: number
  readonly code: string
  /** The field of the body that is at fault. */
  readonly param: string | null

  constructor(status: number, code: string, message: string, param: string | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.param = param
  }
}

/** An error as the body of a response. What is not a {@link RequestError} is only said to have happened. */
export function errorBody(error: unknown): { status: number; body: object } {
  if (!(error instanceof RequestError))
    return {
      status: 500,
      body: { error: { message: 'The model failed.', type: 'server_error', param: null, code: null } },
    }
  const { status, message, param, code } = error
  return { status, body: { error: { message, type: 'invalid_request_error', param, code } } }
}
