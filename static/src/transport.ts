// How a page reaches its server. A page in another site's frame has no cookies:
// embed.ts, which runs before all others, has its requests carry a token, and has
// the site around it load the page anew.

export interface Stream extends EventTarget {
  close(): void;
}

export const transport = {
  /** What every request besides those of htmx is sent with. */
  headers: (): Record<string, string> => ({}),
  stream: (url: string): Stream => new EventSource(url),
  reload: (): void => location.reload(),
};
