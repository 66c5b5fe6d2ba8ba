// The page of somebody without a valid token: where one comes from, and a field for it.
import { useState } from 'react'
import { setToken } from '../api/token.ts'
import { Title } from './head.tsx'
import { Logo } from './icon.tsx'

export function SignIn({ message }: { readonly message: string }) {
  const [token, setText] = useState('')
  return (
    <main style={{ maxWidth: 440, margin: '12vh auto 0' }}>
      <div className="row" style={{ marginBottom: 12 }}>
        <Logo />
        <Title name="Sign in">You are not signed in</Title>
      </div>
      <p className="sub">
        {message} <span className="mono">millrace dev</span> prints the console's address with a token;{' '}
        <span className="mono">millrace token create</span> makes another.
      </p>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault()
          setToken(token.trim())
          window.location.reload()
        }}
      >
        <input
          className="field sp"
          style={{ height: 30 }}
          type="password"
          aria-label="Token"
          placeholder="Token"
          autoComplete="off"
          value={token}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="btn pri" disabled={token.trim() === ''}>
          Sign in
        </button>
      </form>
    </main>
  )
}
