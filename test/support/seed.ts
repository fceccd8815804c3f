/** The conversation of LangChain's notebook: inputs and replies, at a limit of 60 tokens. The replies begin with a space. */
export const CHAIN = [
  ["Hi, what's up?", " Hi there! I'm doing great, just enjoying the day. How about you?"],
  [
    'Just working on writing some documentation!',
    ' Sounds like a productive day! What kind of documentation are you writing?',
  ],
  [
    'For LangChain! Have you heard of it?',
    " Yes, I have heard of LangChain! It is a decentralized language-learning platform that connects native speakers and learners in real time. Is that the documentation you're writing about?",
  ],
  [
    'Haha nope, although a lot of people confuse it for that',
    " Oh, I see. Is there another language learning platform you're referring to?",
  ],
] as const
