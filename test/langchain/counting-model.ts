import type { BaseMessage } from '@langchain/core/messages'
import type { ChatResult } from '@langchain/core/outputs'
import { FakeListChatModel } from '@langchain/core/utils/testing'
import { oracleCount } from '../support/oracle.ts'
import { told } from './shown.ts'

/**
 * LangChain's model that answers from a list. It remembers what it was asked, fails where it has no answer, and counts
 * tokens as the notebook did, where LangChain's would fetch its vocabulary from the network.
 */
export class CountingModel extends FakeListChatModel {
  readonly prompts: unknown[][] = []

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    if (this.responses.length === 0) throw new Error('The model is not there.')
    this.prompts.push(told(messages))
    // oxlint-disable-next-line no-underscore-dangle -- LangChain's own name
    return super._generate(messages)
  }

  override async getNumTokens(text: string): Promise<number> {
    return oracleCount('gpt2')(text)
  }
}
