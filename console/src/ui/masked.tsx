// A value that a mask changed: hatched, so that nobody takes it for the stored one.
export function Masked({ text }: { readonly text: string }) {
  return (
    <span className="masked" title="masked for your role">
      {text}
    </span>
  )
}
