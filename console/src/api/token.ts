// The token that `millrace dev` prints in the console's address: taken once, stripped from the address, kept for this tab.
const KEY = 'millrace.token'

/** Moves `#token=` or `?token=` from the address into the tab's storage. Call before the router reads the address. */
export function takeToken(): void {
  const url = new URL(window.location.href)
  const fragment = new URLSearchParams(url.hash.slice(1))
  const token = fragment.get('token') ?? url.searchParams.get('token')
  if (token === null) return
  sessionStorage.setItem(KEY, token)
  fragment.delete('token')
  url.searchParams.delete('token')
  url.hash = fragment.toString()
  window.history.replaceState(null, '', url.href.replace(/#$/, ''))
}

export const currentToken = (): string | null => sessionStorage.getItem(KEY)
export const setToken = (token: string): void => sessionStorage.setItem(KEY, token)
export const dropToken = (): void => sessionStorage.removeItem(KEY)
