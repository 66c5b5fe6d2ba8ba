// The top of a page: the one h1 with its state, tags and actions. Takes the focus after a navigation, so that a screen
// reader starts there.
import { type ReactNode, useEffect, useRef } from 'react'

let focusWanted = false

/** Called by the router when another page was opened: the next h1 takes the focus, or the one that is there. */
export function focusTitle(): void {
  const title = document.querySelector<HTMLElement>('h1')
  if (title === null) focusWanted = true
  else title.focus({ preventScroll: true })
}

export function Title({
  children,
  small = false,
  name,
}: {
  readonly children: ReactNode
  readonly small?: boolean /** For the window's title. */
  readonly name: string
}) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${name} · Millrace`
    if (!focusWanted) return
    focusWanted = false
    title.current?.focus({ preventScroll: true })
  }, [name])
  return (
    <h1 ref={title} tabIndex={-1} style={small ? { fontSize: 14, lineHeight: '20px' } : undefined}>
      {children}
    </h1>
  )
}

export function Tags({ tags }: { readonly tags: readonly string[] }) {
  return (
    <span className="row hide-m" style={{ gap: 6 }}>
      {tags.map((tag) => (
        <span className="tag" key={tag}>
          {tag}
        </span>
      ))}
    </span>
  )
}
