/** One of the client's endpoints. Method syntax, so that each SDK's own, narrower parameters are accepted. */
export interface ClientEndpoint {
  create(body: object, options?: object): PromiseLike<unknown>
}

/**
 * The slice of an OpenAI client that a chain calls: `new OpenAI()` of the package `openai`, majors 5, 6 and 7, or
 * anything else with the method that the chain's `api` needs.
 */
export interface OpenAIClient {
  readonly chat?: { readonly completions?: ClientEndpoint }
  readonly responses?: ClientEndpoint
  readonly completions?: ClientEndpoint
}
