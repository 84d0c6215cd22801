"""Rendering: from an environment to the job specs that Nomad is given."""

from generator.render.jobs import RenderedJob, each_job, render_jobs, select

__all__ = ["RenderedJob", "each_job", "render_jobs", "select"]
