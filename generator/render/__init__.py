"""Rendering: from an environment to the job specs that Nomad is given."""

from generator.render.jobs import RenderedJob, render_jobs, select

__all__ = ["RenderedJob", "render_jobs", "select"]
