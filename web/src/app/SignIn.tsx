/** The door: a name and a password, or a one-time link and a password to choose. */

import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { api, data } from "../api/client";
import { ME } from "../api/queries";
import type { Me } from "../api/types";
import { Mark } from "../parts/Mark";
import { ProblemNote } from "../parts/ProblemNote";
import { goTo } from "./location";
import { LEAST_PASSWORD, passwordProblem } from "./password";

function useEnter<Input>(ask: (input: Input) => Promise<Me>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ask,
    onSuccess: (me) => {
      client.setQueryData(ME, me);
      goTo("desk");
    },
  });
}

export function SignIn(): ReactNode {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const enter = useEnter(() => data(api.POST("/api/v1/auth/sign-in", { body: { name: name.trim(), password } })));
  return (
    <Door title="Sign in" submit={() => enter.mutate(undefined)} ready={name.trim() !== "" && password !== ""} pending={enter.isPending} act="Sign in">
      <TextInput label="Name" autoComplete="username" value={name} autoFocus onChange={(event) => setName(event.currentTarget.value)} />
      <PasswordInput label="Password" autoComplete="current-password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
      <ProblemNote failure={enter.error} />
      <p className="small">No password yet, or forgotten? The desk prints a one-time link in the terminal where it was started.</p>
    </Door>
  );
}

export function Welcome({ token }: { token: string }): ReactNode {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const enter = useEnter(() => data(api.POST("/api/v1/auth/link", { body: { token, password } })));
  const problem = passwordProblem(password, again);
  if (token === "") {
    return (
      <Door title="This link is not whole" submit={() => goTo("sign-in")} ready pending={false} act="Sign in instead">
        <p>Copy the whole line that the desk printed: the part behind “token=” is missing.</p>
      </Door>
    );
  }
  return (
    <Door title="Welcome aboard" submit={() => enter.mutate(undefined)} ready={problem === null} pending={enter.isPending} act="Open the desk">
      <p>Choose the password of this desk. The link that brought you here works once.</p>
      <PasswordInput
        label="Password"
        description={`At least ${LEAST_PASSWORD} characters; a few words are better than a few symbols.`}
        autoComplete="new-password"
        value={password}
        autoFocus
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <PasswordInput label="Once more" autoComplete="new-password" value={again} onChange={(event) => setAgain(event.currentTarget.value)} />
      <p className="small why" role="status">
        {password === "" ? "" : problem}
      </p>
      <ProblemNote failure={enter.error} />
    </Door>
  );
}

interface DoorProps {
  title: string;
  act: string;
  ready: boolean;
  pending: boolean;
  submit: () => void;
  children: ReactNode;
}

function Door({ title, act, ready, pending, submit, children }: DoorProps): ReactNode {
  function onSubmit(event: SyntheticEvent): void {
    event.preventDefault();
    if (ready) submit();
  }
  return (
    <main className="door">
      <form className="stack" onSubmit={onSubmit} aria-labelledby="door-title">
        <div className="brand">
          <Mark size={34} />
          <span>Plimsoll</span>
        </div>
        <h1 id="door-title">{title}</h1>
        {children}
        <Button type="submit" fullWidth size="md" disabled={!ready} loading={pending} data-testid="enter">
          {act}
        </Button>
      </form>
    </main>
  );
}
