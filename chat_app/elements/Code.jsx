import { useEffect, useRef } from "react"

export default function Code() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Code", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
